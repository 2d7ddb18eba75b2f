import { statSync } from "node:fs";
import type { WeightSource } from "@weft/io-safetensors";
import { type ConvertModule, type Loss, type TargetName, writeModules } from "@weft/convert";
import type { MethodTable } from "@weft/tensor-core";
import { classNameOf } from "./side-files.js";
import { placesOf, refuseOverwriting, type WriteOptions, writePlaces } from "./converted-files.js";

/** The dialect and place of an adapter, and what is known beside its modules. */
export interface SaveModulesOptions extends WriteOptions {
  readonly to: TargetName;
  readonly out: string;
  readonly base?: WeightSource;
  readonly baseName: string | null;
  readonly allowLoss: boolean;
  /** What was lost before the modules were there. */
  readonly losses?: readonly Loss[];
  /** Metadata of the file, beside what the dialect asks for. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Files that are read. */
  readonly inputs: readonly string[];
  readonly methods: MethodTable;
  /** Replace what is there. */
  readonly force: boolean;
  /** What the dialect cannot hold, and was left out. */
  readonly onLoss?: (loss: Loss) => void;
}

/** A file that was written. */
export interface SavedFile {
  readonly name: string;
  readonly bytes: number;
}

/** Writes modules as an adapter of a dialect. @throws errors of `refuseOverwriting`, `placesOf` and `writeModules` */
export async function saveModules(modules: readonly ConvertModule[], options: SaveModulesOptions): Promise<SavedFile[]> {
  const { to, out, base, baseName, allowLoss, losses = [], metadata, inputs, methods, force } = options;
  const { files, losses: all } = await writeModules(modules, {
    to,
    base,
    className: base && classNameOf(base),
    allowLoss,
    losses,
    source: { metadata },
    methods,
    baseModel: baseName,
  });
  for (const loss of all) options.onLoss?.(loss);
  const places = placesOf(files, out);
  refuseOverwriting(places, inputs, force);
  await writePlaces(places, out, options, async () => {});
  return places.map(({ path }) => ({ name: path, bytes: statSync(path).size }));
}

/** Every file that sources are read from. */
export const filesOf = (sources: readonly WeightSource[]): string[] => [
  ...new Set(sources.flatMap((source) => [...source.names()].map((name) => source.info(name).file))),
];
