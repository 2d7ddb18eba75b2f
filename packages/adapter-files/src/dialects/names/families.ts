import { CHROMA } from "./chroma.js";
import { FLUX } from "./flux.js";
import { FLUX2 } from "./flux2.js";
import { HUNYUAN_VIDEO } from "./hunyuan-video.js";
import { LTX } from "./ltx.js";
import { LUMINA2 } from "./lumina2.js";
import type { Family, FamilyNames, NameMap, Style } from "./name-map.js";
import { QWEN_IMAGE } from "./qwen-image.js";
import { SD3 } from "./sd3.js";
import { tableMap } from "./table-map.js";
import { SD, SDXL } from "./unet.js";
import { WAN } from "./wan.js";
import { Z_IMAGE } from "./z-image.js";

const FAMILIES: readonly FamilyNames[] = [SD, SDXL, SD3, FLUX, FLUX2, CHROMA, WAN, LTX, LUMINA2, Z_IMAGE, QWEN_IMAGE, HUNYUAN_VIDEO];

/** Original and diffusers' names of each family of image and video models. */
export const NAME_MAPS: { readonly [F in Family]: NameMap } = Object.fromEntries(
  FAMILIES.map(({ family, rows }) => [family, tableMap(rows)]),
) as { [F in Family]: NameMap };

/** The part of a family's models that a module belongs to and not all of them have. @param path dotted, or flat */
export const partOf = (family: Family, path: string): NonNullable<FamilyNames["part"]> | undefined => {
  const { part } = FAMILIES.find((names) => names.family === family)!;
  return part?.modules.test(path) ? part : undefined;
};

/** Whether diffusers has models of a family in a class. */
export const isClassOf = (family: Family, name: string): boolean =>
  FAMILIES.find((names) => names.family === family)!.classes.includes(name);

/** What module names say about the denoiser that they belong to. */
export interface Naming {
  /** Undefined if it is of no family that is known, or of one of several candidates. */
  readonly family: Family | undefined;
  readonly candidates: readonly Family[];
  /** Undefined where nothing tells. */
  readonly style: Style | undefined;
  /** The attribute of its pipeline that all candidates have: `unet` or `transformer`. */
  readonly attribute: FamilyNames["attribute"] | undefined;
}

/** A module of a denoiser, as far as it is known. */
export interface NamedModule {
  /** Dotted, or flat. */
  readonly path: string;
  /** Rows and columns of its weight. */
  readonly matrix?: readonly [out: number, inputs: number] | undefined;
}

/** Modules that are looked at, spread over all of them; no denoiser has as many. */
const SAMPLE = 4096;

const STYLES: readonly Style[] = ["diffusers", "original"];

/**
 * The family and style of a denoiser's modules: whose table has most of their names, and more than half; where several have as many, the shapes decide:
 * rows of fused projections, and the widths that the families' models have.
 * @param options.className diffusers' class of the model, where it is known: it decides among those that the names fit
 * @param options.secondEncoder the adapter is for a second text encoder, too
 * @param options.kohya the file is of kohya's kind, in which SD's UNet has diffusers' names, SDXL's the original's
 */
export function namingOf(
  all: readonly NamedModule[],
  options: { readonly className?: string | undefined; readonly secondEncoder?: boolean; readonly kohya?: boolean } = {},
): Naming {
  const step = Math.ceil(all.length / SAMPLE);
  const modules = all.filter((_, i) => i % step === 0);
  const scored = FAMILIES.map((names) => {
    const counts = STYLES.map((style) => modules.filter(({ path }) => NAME_MAPS[names.family].known(path, style) !== undefined).length);
    return { names, score: Math.max(...counts), style: STYLES[counts[0]! >= counts[1]! ? 0 : 1]! };
  });
  const best = Math.max(...scored.map(({ score }) => score));
  if (best * 2 <= modules.length) return { family: undefined, candidates: [], style: undefined, attribute: undefined };
  const tied = scored.filter(({ score }) => score === best);
  const { style } = tied[0]!;
  const { className } = options;
  const narrowed = [
    ({ classes }: FamilyNames) => className === undefined || classes.includes(className),
    ({ family }: FamilyNames) => !(options.secondEncoder && family === "sd"),
    ({ family }: FamilyNames) => !options.kohya || family !== (style === "diffusers" ? "sdxl" : "sd"),
    (names: FamilyNames) => modules.every((module) => partsFit(names, module)),
    (names: FamilyNames) => widthsFit(names, modules),
  ].reduce(
    (left, test) => {
      const fitting = left.filter(test);
      return fitting.length > 0 ? fitting : left;
    },
    tied.map(({ names }) => names),
  );
  const candidates = narrowed.map(({ family }) => family);
  const attributes = new Set(narrowed.map(({ attribute }) => attribute));
  return {
    family: candidates.length === 1 ? candidates[0] : undefined,
    candidates,
    style,
    attribute: attributes.size === 1 ? narrowed[0]!.attribute : undefined,
  };
}

/** The first part of a fused projection has as many rows as the weight has columns. */
function partsFit({ family }: FamilyNames, { path, matrix }: NamedModule): boolean {
  const part = matrix && NAME_MAPS[family].toDiffusers(path)?.[0]?.part;
  return !part || (matrix[0] * part.sizes[0]!) / part.sizes.reduce((a, b) => a + b, 0) === matrix[1];
}

/** One of the modules that tell has a number of inputs that the family's models have. */
const widthsFit = ({ inputs: [pattern, sizes] }: FamilyNames, modules: readonly NamedModule[]): boolean =>
  modules.some(({ path, matrix }) => matrix && pattern.test(path) && sizes.includes(matrix[1]));

/**
 * The map to rename modules by: that of the family, or of the one of several candidates whose names all the others have as well.
 * @returns undefined if the candidates differ, or there are none
 */
export function mapFor({ candidates }: Naming, paths: readonly string[], to: Style): NameMap | undefined {
  const maps = candidates.map((family) => NAME_MAPS[family]);
  const agree = (one: NameMap, other: NameMap, path: string): boolean => {
    if (to === "diffusers") return JSON.stringify(one.toDiffusers(path)) === JSON.stringify(other.toDiffusers(path));
    const [mine, others] = [one.toOriginal(path), other.toOriginal(path)];
    const spelled = mine && others && other.spellings(others.path).includes(mine.path) ? { ...others, path: mine.path } : others;
    return JSON.stringify(mine) === JSON.stringify(spelled);
  };
  return maps.find((one) => maps.every((other) => paths.every((path) => agree(one, other, path))));
}
