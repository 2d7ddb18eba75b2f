import { constants, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { MatchError, type MethodTable } from "@weft/tensor-core";
import { type Component, PIPELINE_FOLDERS } from "@weft/adapter-files/dialects";
import { existsError } from "./check-output.js";
import { openAdapters } from "./open-adapters.js";
import type { MergeInput } from "./prepare.js";

/** What makes a folder a pipeline of diffusers. */
const INDEX = "model_index.json";

/** True for the root of a pipeline, whose models lie in folders. */
export const isPipeline = (base: string): boolean => existsSync(join(base, INDEX));

/** The only text encoder of a pipeline lies where the first one does. */
const partOf = (component: Component): Component => (component === "te" ? "te1" : component);

/**
 * The folders of a pipeline that adapters are for, each with the settings of its own merge: the adapters that have modules for it, and the user's alpha if
 * one of them needs it.
 * @throws MatchError kinds `unknown-part`, `no-such-part`, `several-parts`
 */
export async function pipelineParts(settings: MergeInput, methods: MethodTable): Promise<ReadonlyMap<string, MergeInput>> {
  const { base } = settings;
  const index = JSON.parse(readFileSync(join(base, INDEX), "utf8")) as object;
  const folders = Object.keys(index).filter((name) => PIPELINE_FOLDERS.has(name) && existsSync(join(base, name)));
  const listed = folders.map((name) => join(base, name)).join(", ");
  const parts = new Map<string, MergeInput>();
  const opened = await openAdapters(settings.adapters, methods, settings);
  await Promise.all(opened.map(({ adapter }) => adapter.weights.close()));
  for (const { path, scale, alpha, adapter } of opened) {
    const components = new Set([...adapter.modules.values()].map(({ component = "model" }) => component));
    for (const component of components) {
      if (component === "model")
        throw new MatchError(`${path}: which part of the pipeline it is for is not in its keys`, {
          kind: "unknown-part",
          file: path,
          hint: `name the part's folder as the base: ${listed}`,
        });
      const [folder, another] = folders.filter((name) => PIPELINE_FOLDERS.get(name) === partOf(component));
      if (folder === undefined)
        throw new MatchError(`${path}: it is for ${component}, and ${base} has no folder for that`, {
          kind: "no-such-part",
          file: path,
          hint: `it has ${listed}`,
        });
      if (another !== undefined)
        throw new MatchError(`${path}: it may be for ${folder} or for ${another} of ${base}`, {
          kind: "several-parts",
          file: path,
          hint: `name the model's own folder as the base: ${join(base, folder)} or ${join(base, another)} (Wan 2.2: high noise, low noise)`,
        });
      const before = parts.get(folder);
      parts.set(folder, {
        ...settings,
        base: join(base, folder),
        adapters: [...(before?.adapters ?? []), { path, scale }],
        alpha: before?.alpha ?? alpha,
      });
    }
  }
  return parts;
}

/** Files of a pipeline that do not lie in the folders of the given parts, the index last, as it makes the output a pipeline. */
export function otherFiles(base: string, parts: ReadonlySet<string>): string[] {
  const names = readdirSync(base, { recursive: true, encoding: "utf8" }).filter((name) => statSync(join(base, name)).isFile());
  const others = names.filter((name) => !parts.has(name.split(/[\\/]/)[0]!) && !name.startsWith("."));
  return others.toSorted((a, b) => Number(a === INDEX) - Number(b === INDEX) || (a < b ? -1 : 1));
}

/** Those of the base's files that another folder lacks or has otherwise. */
export const changedOthers = (base: string, names: readonly string[], other: string): string[] =>
  names.filter((name) => !existsSync(join(other, name)) || !isSame(join(base, name), join(other, name)));

/** Refuses to replace what is not the same file already. @throws ConfigError kind `exists` */
export function refuseOthers(base: string, names: readonly string[], out: string): void {
  const there = names.filter((name) => existsSync(join(out, name)));
  for (const name of changedOthers(base, there, out)) throw existsError(join(out, name));
}

const isSame = (a: string, b: string): boolean => statSync(a).size === statSync(b).size && readFileSync(a).equals(readFileSync(b));

/** Copies files, each under its final name only once it is whole. */
export function copyOthers(base: string, names: readonly string[], out: string): void {
  for (const name of names) {
    const to = join(out, name);
    mkdirSync(dirname(to), { recursive: true });
    const part = join(dirname(to), `.${relative(dirname(to), to)}.weft-part`);
    copyFileSync(join(base, name), part, constants.COPYFILE_FICLONE);
    renameSync(part, to);
  }
}
