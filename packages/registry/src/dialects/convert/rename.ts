import { MatchError } from "@weft/tensor-core";
import { isLastContext } from "../names/sd3.js";
import { NAME_MAPS, type Naming, namingOf } from "../names/families.js";
import type { NameMap, Part, Renamed } from "../names/name-map.js";
import type { BaseTensors } from "../../report/base-index.js";
import type { ConvertModule, Loss } from "./convert-module.js";
import { type FusePart, fuseModules, whyNotFused } from "./fuse.js";
import { splitModule, whyNotSplit, withSwappedHalves } from "./split.js";

/** Which names a target has for the denoiser's modules; `kohya`: the original's, but diffusers' for SD 1 and 2. */
export type NameStyle = "diffusers" | "original" | "kohya" | "as-is";

export interface RenameResult {
  readonly modules: ConvertModule[];
  readonly losses: Loss[];
  readonly naming: Naming;
}

/**
 * Gives a denoiser's modules the names of the target's style; fused weights are cut or put together, and exchanged halves exchanged.
 * Text encoders get `text_model` in front, as all files but the newest have it.
 * @throws MatchError kind `unknown-model` if the names fit several model families that differ
 */
export async function renameModules(
  modules: readonly ConvertModule[],
  style: NameStyle,
  base: BaseTensors | undefined,
): Promise<RenameResult> {
  const denoiser = modules.filter(({ component }) => component === "denoiser");
  const naming = namingIn(denoiser, modules, base);
  const texts = modules.filter(({ component }) => component !== "denoiser").map(withTextModel);
  const wanted = style === "kohya" ? (naming.family === "sd" ? "diffusers" : "original") : style;
  if (wanted === "as-is" || wanted === naming.style) return { modules: [...denoiser, ...texts], losses: [], naming };
  if (denoiser.length === 0) return { modules: texts, losses: [], naming };
  if (!naming.family && naming.candidates.length === 0) return { modules: [...denoiser, ...texts], losses: [], naming };
  if (!naming.family)
    throw new MatchError(
      `${denoiser[0]!.label}: which model this is for does not follow from the names; candidates are ${naming.candidates.join(" and ")}`,
      {
        kind: "unknown-model",
        tensor: denoiser[0]!.label,
        hint: "give the base model with --base",
      },
    );
  const map = NAME_MAPS[naming.family];
  const { modules: renamed, losses } = wanted === "diffusers" ? await toDiffusers(denoiser, map) : await toOriginal(denoiser, map);
  return { modules: [...renamed, ...texts], losses, naming };
}

function namingIn(denoiser: readonly ConvertModule[], all: readonly ConvertModule[], base: BaseTensors | undefined): Naming {
  const paths = denoiser.map(({ path }) => path);
  const widths = denoiser
    .filter(({ path }) => /\.to_[qkv]$/.test(path))
    .map(({ parameters }) => parameters.get("lora_down.weight")?.shape[1] ?? 0);
  const secondEncoder = all.some(({ component }) => component === "te2");
  const own = namingOf(paths, { secondEncoder, widths });
  const inBase = base && namingOf([...base.names()].map((name) => name.replace(/^(model\.)?diffusion_model\./, "")));
  return inBase?.family ? { ...own, family: inBase.family, candidates: inBase.candidates } : own;
}

function withTextModel(module: ConvertModule): ConvertModule {
  const clip = module.component === "te" || module.component === "te1" || module.component === "te2";
  return clip && module.path.startsWith("encoder.layers.") ? { ...module, path: `text_model.${module.path}` } : module;
}

const noName = ({ label, path }: ConvertModule, where: string): Loss => ({
  module: label,
  message: `${label}: ${path} has no ${where} name`,
});

/** Exchanges halves where the two names mean it; by shape for the last context block of SD3. */
function turned(module: ConvertModule, { swapped }: Renamed, map: NameMap): ConvertModule | undefined {
  const [out, inputs] = [module.parameters.get("lora_up.weight")?.shape[0] ?? 0, module.parameters.get("lora_down.weight")?.shape[1] ?? 0];
  return swapped || (map.family === "sd3" && isLastContext(module.path, out, inputs)) ? withSwappedHalves(module) : module;
}

async function toDiffusers(modules: readonly ConvertModule[], map: NameMap): Promise<{ modules: ConvertModule[]; losses: Loss[] }> {
  const result: ConvertModule[] = [];
  const losses: Loss[] = [];
  for (const module of modules) {
    const names = map.toDiffusers(module.path);
    const [first, ...more] = names ?? [];
    if (!first) losses.push(noName(module, "diffusers"));
    else if (more.length === 0) {
      const same = turned(module, first, map);
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
      const same = turned(module, name, map);
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
