import { statSync } from "node:fs";
import type { WeightSource } from "@weft/io-safetensors";
import { type ConvertModule, type Loss, type TargetName, writeModules } from "@weft/convert";
import type { Context } from "../context.js";
import { classNameOf } from "../merge/side-files.js";
import { formatBytes } from "../output.js";
import { placesOf, refuseOverwriting, writePlaces } from "./converted-files.js";

export interface SaveModulesOptions {
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
}

/** A file that was written. */
export interface SavedFile {
  readonly name: string;
  readonly bytes: number;
}

/** Writes modules as an adapter of a dialect. @throws errors of `refuseOverwriting`, `placesOf` and `writeModules` */
export async function saveModules(modules: readonly ConvertModule[], options: SaveModulesOptions, context: Context): Promise<SavedFile[]> {
  const { to, out, base, baseName, allowLoss, losses = [], metadata, inputs } = options;
  const { files, losses: all } = await writeModules(modules, {
    to,
    base,
    className: base && classNameOf(base),
    allowLoss,
    losses,
    source: { metadata },
    methods: (await context.methods()).table,
    baseModel: baseName,
  });
  for (const { message } of all) context.out.warn(`lost: ${message}`);
  const places = placesOf(files, out);
  refuseOverwriting(places, inputs, context.options.force);
  await writePlaces(places, out, context, async () => {});
  return places.map(({ path }) => ({ name: path, bytes: statSync(path).size }));
}

export const savedText = (files: readonly SavedFile[]): string[] => files.map(({ name, bytes }) => `✓ ${name}  ${formatBytes(bytes)}`);

/** Every file that sources are read from. */
export const filesOf = (sources: readonly WeightSource[]): string[] => [
  ...new Set(sources.flatMap((source) => [...source.names()].map((name) => source.info(name).file))),
];
