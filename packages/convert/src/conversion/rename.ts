import type { NameStyle } from "../targets/target.js";
import { MatchError, sizeOf } from "@weft/tensor-core";
import {
  denoiserPaths,
  type DialectName,
  isClassOf,
  isLastContext,
  mapFor,
  NAME_MAPS,
  type NamedModule,
  type NameMap,
  type Naming,
  namingOf,
  type Part,
  type Renamed,
  type Style,
  weightMatrix,
} from "@weft/adapter-files/dialects";
import type { BaseTensors } from "@weft/adapter-files";
import type { ConvertModule, Loss } from "./convert-module.js";
import { type FusePart, fuseModules, whyNotFused } from "./fuse.js";
import type { TargetName } from "../targets/target.js";
import { splitModule, whyNotSplit, withSwappedHalves } from "./split.js";

export interface RenameResult {
  readonly modules: ConvertModule[];
  readonly losses: Loss[];
  readonly naming: Naming;
}

/**
 * Gives a denoiser's modules the names of the target's style; fused weights are cut or put together, and exchanged halves exchanged. Names stay as
 * they are where the target is the dialect that they come from. Text encoders get `text_model` in front, as all files but the newest have it.
 * @param className diffusers' class of the base
 * @throws MatchError kind `unknown-model` if the names fit no model family, or several that differ, or the base's class has other names
 */
export async function renameModules(
  modules: readonly ConvertModule[],
  { name, style }: { readonly name: TargetName; readonly style: NameStyle },
  base: BaseTensors | undefined,
  className: string | undefined,
): Promise<RenameResult> {
  const denoiser = modules.filter(({ component }) => component === "denoiser");
  const naming = namingIn(denoiser, modules, base, className);
  const texts = modules.filter(({ component }) => component !== "denoiser").map(withTextModel);
  const asTheyAre = { modules: [...denoiser, ...texts], losses: [], naming };
  if (style === "as-is" || denoiser.every(({ dialect }) => dialect === name)) return asTheyAre;
  const wanted = wantedStyle(style, naming);
  if (naming.candidates.length === 0) {
    const own = denoiser.every(({ dialect, guessed }) => !guessed && (dialect === undefined || STYLES.get(dialect) === wanted));
    if (!own) throw unknownFamily(denoiser, wanted ?? "original");
    return asTheyAre;
  }
  if (wanted !== undefined && wanted === naming.style) {
    const losses = denoiser.filter(({ path, guessed }) => guessed && !isKnown(path, naming)).map((module) => noName(module, wanted));
    const lost = new Set(losses.map(({ module }) => module));
    return { modules: [...denoiser.filter(({ label }) => !lost.has(label)), ...texts], losses, naming };
  }
  const map =
    wanted &&
    mapFor(
      naming,
      denoiser.map(({ path }) => path),
      wanted,
    );
  if (!map)
    throw new MatchError(
      `${denoiser[0]!.label}: which model this is for does not follow from the names; candidates are ${naming.candidates.join(", ")}`,
      {
        kind: "unknown-model",
        tensor: denoiser[0]!.label,
        hint: "give the base model with --base",
      },
    );
  const { modules: renamed, losses } = wanted === "diffusers" ? await toDiffusers(denoiser, map) : await toOriginal(denoiser, map);
  return { modules: [...renamed, ...texts], losses, naming };
}

/** The style of a target; undefined if it depends on which of several candidates the family is. */
function wantedStyle(style: "diffusers" | "original" | "kohya", { candidates }: Naming): Style | undefined {
  if (style !== "kohya") return style;
  const inDiffusers = candidates.filter((family) => family === "sd").length;
  return inDiffusers === 0 ? "original" : inDiffusers === candidates.length ? "diffusers" : undefined;
}

const isKnown = (path: string, { candidates, style }: Naming): boolean =>
  style !== undefined && candidates.some((family) => NAME_MAPS[family].known(path, style) !== undefined);

/** Whose names dialects have for models of no known family. */
const STYLES: ReadonlyMap<DialectName, Style> = new Map([
  ["kohya", "original"],
  ["comfyui", "original"],
  ["diffusers", "diffusers"],
  ["diffusers-middle", "diffusers"],
  ["diffusers-old", "diffusers"],
]);

/**
 * The base says which family it is, where it is given; the adapter's own names say in which style it is written. Of a family that is not known
 * what stands in front of the names says whose attribute it is.
 */
function namingIn(
  denoiser: readonly ConvertModule[],
  all: readonly ConvertModule[],
  base: BaseTensors | undefined,
  className: string | undefined,
): Naming {
  const own = namingOf(
    denoiser.map(({ path, parameters }) => ({ path, matrix: weightMatrix(parameters) })),
    { secondEncoder: all.some(({ component }) => component === "te2"), kohya: agreed(denoiser.map(({ dialect }) => dialect)) === "kohya" },
  );
  const inBase = base && namingOf(modulesOfBase(base), { className });
  if (inBase && className !== undefined) checkClass(inBase, className, base.location);
  if (inBase && inBase.candidates.length > 0) return { ...inBase, style: own.style };
  if (own.candidates.length > 0) return own;
  const attribute = agreed(denoiser.map(({ label }) => /^(unet|transformer)\./.exec(label)?.[1] as Naming["attribute"]));
  return { ...own, attribute };
}

/** Classes that share most names with a family need not share all: LTX2VideoTransformer3DModel. */
function checkClass({ candidates }: Naming, className: string, file: string | undefined): void {
  if (candidates.length === 0 || candidates.some((family) => isClassOf(family, className))) return;
  throw new MatchError(
    `${file ?? "the base"}: its config.json says ${className}, and its tensors have names and shapes of ${candidates.join(" or ")}, which has other classes`,
    {
      kind: "unknown-model",
      ...(file !== undefined && { file }),
      hint: "give the base whose config.json lies beside its own tensors; models of other families are not known",
    },
  );
}

const agreed = <T>(values: readonly T[]): T | undefined => (new Set(values).size === 1 ? values[0] : undefined);

function modulesOfBase(base: BaseTensors): NamedModule[] {
  const weights = [...base.names()].filter((name) => name.endsWith(".weight")).map((name) => name.slice(0, -".weight".length));
  return denoiserPaths(weights).map(({ full, path }) => {
    const { shape } = base.info(`${full}.weight`);
    return { path, ...(shape.length > 1 && { matrix: [shape[0]!, sizeOf(shape.slice(1))] as const }) };
  });
}

const unknownFamily = ([first]: readonly ConvertModule[], style: string): MatchError =>
  new MatchError(
    `${first!.label}: its names are of no image or video model that is known, so what they are called in ${style} names is not known`,
    {
      kind: "unknown-model",
      tensor: first!.label,
      hint: `known are ${Object.keys(NAME_MAPS).join(", ")}; a dialect that keeps names as they are (lycoris) holds the adapter`,
    },
  );

function withTextModel(module: ConvertModule): ConvertModule {
  const clip = module.component === "te" || module.component === "te1" || module.component === "te2";
  return clip && module.path.startsWith("encoder.layers.") ? { ...module, path: `text_model.${module.path}` } : module;
}

const noName = ({ label, path }: ConvertModule, where: string): Loss => ({
  module: label,
  message: `${label}: ${path} has no ${where} name`,
});

/** Exchanges halves where the two names mean it; by shape for the last context block of SD3. */
function turned(module: ConvertModule, { swapped }: Renamed): ConvertModule | undefined {
  const [out, inputs] = [module.parameters.get("lora_up.weight")?.shape[0] ?? 0, module.parameters.get("lora_down.weight")?.shape[1] ?? 0];
  return swapped || isLastContext(module.path, out, inputs) ? withSwappedHalves(module) : module;
}

async function toDiffusers(modules: readonly ConvertModule[], map: NameMap): Promise<{ modules: ConvertModule[]; losses: Loss[] }> {
  const result: ConvertModule[] = [];
  const losses: Loss[] = [];
  for (const module of modules) {
    const names = map.toDiffusers(module.path);
    const [first, ...more] = names ?? [];
    if (!first) losses.push(noName(module, "diffusers"));
    else if (more.length === 0) {
      const same = turned(module, first);
      if (same) result.push({ ...same, path: first.path });
      else losses.push({ module: module.label, message: `${module.label}: its halves cannot be exchanged, as diffusers has them` });
    } else {
      const reason = whyNotSplit(module);
      const parts = reason === undefined ? await splitModule(module, names as { path: string; part: Part }[]) : undefined;
      if (parts) result.push(...parts);
      else
        losses.push({
          module: module.label,
          message: `${module.label}: ${reason ?? "its rows do not divide"}; diffusers keeps ${names!.length} weights for it`,
        });
    }
  }
  return { modules: result, losses };
}

async function toOriginal(modules: readonly ConvertModule[], map: NameMap): Promise<{ modules: ConvertModule[]; losses: Loss[] }> {
  const result: ConvertModule[] = [];
  const losses: Loss[] = [];
  const fused = new Map<string, FusePart[]>();
  for (const module of modules) {
    const name = map.toOriginal(module.path);
    if (!name) losses.push(noName(module, "original"));
    else if (name.part) fused.set(name.path, [...(fused.get(name.path) ?? []), { module, part: name.part }]);
    else {
      const same = turned(module, name);
      if (same) result.push({ ...same, path: name.path });
      else losses.push({ module: module.label, message: `${module.label}: its halves cannot be exchanged, as the original has them` });
    }
  }
  for (const [path, parts] of fused) {
    const reason = whyNotFused(parts);
    if (reason === undefined) result.push(await fuseModules(path, parts));
    else
      for (const { module } of parts)
        losses.push({ module: module.label, message: `${module.label}: ${reason}; the original keeps ${path} in one` });
  }
  return { modules: result, losses };
}
