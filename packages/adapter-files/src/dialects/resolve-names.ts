import { sizeOf } from "@weft/tensor-core";
import type { AdapterModule, OpenedAdapter } from "../opened-adapter.js";
import type { BaseTensors } from "../report/base-index.js";
import type { Placement } from "../report/placement.js";
import type { Component } from "./dialect.js";
import { parametersOf } from "./module-of.js";
import { BaseNames, type BaseTarget } from "./names/base-names.js";
import { componentOfFolder } from "./pipeline-folders.js";
import { PlacedWeights, placeModule } from "./place-module.js";
import { weightMatrix } from "./weight-matrix.js";

/** A module that a base has a place for, but not one that it can be put into. */
export interface Unplaced {
  readonly path: string;
  readonly message: string;
  /** It may be any of several. */
  readonly ambiguous?: boolean;
}

/** An adapter whose modules have the base's paths. */
export interface ResolvedAdapter {
  readonly adapter: OpenedAdapter;
  readonly unplaced: readonly Unplaced[];
  /** Parts of the pipeline, or of its denoiser, that the base does not hold, with the number of their modules. */
  readonly elsewhere: ReadonlyMap<string, number>;
  /** Weights and biases that modules are for, by names that are no tensors of the base, but parts of some, or made of several. */
  readonly placements: ReadonlyMap<string, Placement>;
}

/**
 * Finds the module of a base that each name of an adapter means: dots in place of underscores, diffusers' names for the original's, with and
 * without `text_model`; of several the one whose shape fits. A fused projection becomes the parts that the base keeps apart, a part the rows of what the
 * base keeps in one. Modules of a component of which the base has nothing are left out, if it has something of another.
 */
export function resolveNames(adapter: OpenedAdapter, base: BaseTensors): ResolvedAdapter {
  const names = new BaseNames(modulePaths(base));
  const weights = new PlacedWeights(base);
  const modules = new Map<string, AdapterModule>();
  const unplaced: Unplaced[] = [];
  const lost: [string, AdapterModule][] = [];
  const found = new Set<Component>();
  const owners = new Map<string, string>();
  const put = (id: string, module: AdapterModule): void => {
    const [name, owner] = [module.name ?? module.path, owners.get(module.path)];
    if (owner !== undefined && owner !== name)
      unplaced.push({ path: module.path, message: `${owner} and ${name} are both for ${module.path}` });
    else {
      owners.set(module.path, name);
      modules.set(`${id} ${module.path}`, module);
    }
  };
  /** Fused weights of which some module is a part, and that module. */
  const cut = new Map<string, string>();
  const others = otherEncoders(adapter, base, names, weights);
  for (const [id, module] of adapter.modules) {
    if (module.component && others.has(module.component)) {
      lost.push([id, module]);
      continue;
    }
    const candidates = names.lookUp(module.path, module.component ?? "model");
    const fitting = candidates.length > 1 ? candidates.filter((group) => fits(module, group, weights)) : candidates;
    const [group, ...more] = fitting.length > 0 ? fitting : candidates.slice(0, 1);
    if (!group) {
      lost.push([id, module]);
      continue;
    }
    found.add(module.component ?? "model");
    if (more.length > 0) unplaced.push({ path: module.path, message: ambiguity(module, fitting), ambiguous: true });
    else {
      if (group[0]!.within) cut.set(group[0]!.path, module.name ?? module.path);
      const placed = placeModule(module, group, weights);
      if (typeof placed === "string") unplaced.push({ path: module.path, message: placed });
      else for (const own of placed) put(id, own);
    }
  }
  for (const [path, part] of cut)
    if (owners.has(path))
      unplaced.push({ path, message: `${owners.get(path)} and ${part} are both for ${path}; one of them repeats the other` });
  const elsewhere = new Map<string, number>();
  for (const [id, module] of lost) {
    const component = module.component ?? "model";
    const part = !found.has(component) ? component : component === "denoiser" ? names.absentPart(module.path) : undefined;
    if (found.size > 0 && part !== undefined) elsewhere.set(part, (elsewhere.get(part) ?? 0) + 1);
    else put(id, module);
  }
  const modulesToSave = new Map([...adapter.modulesToSave].map(([name, tensor]) => [wholeName(name, names, weights), tensor]));
  return { adapter: { ...adapter, modules, modulesToSave }, unplaced, elsewhere, placements: weights.placements };
}

/** What the base calls the tensor that one of the adapter stands for; its own name if the base has none. */
function wholeName(name: string, names: BaseNames, weights: PlacedWeights): string {
  const dot = name.lastIndexOf(".");
  const [group, ...more] = names.lookUp(name.slice(0, dot), "denoiser");
  if (!group || more.length > 0 || group.some(({ part, within, swapped }) => part ?? within ?? swapped)) return name;
  return weights.tensor(group[0]!.path, name.endsWith(".bias") ? "bias" : "weight") ?? name;
}

/**
 * Text encoders have the same names. Of several that an adapter is for, those that a base which does not say which one it is cannot be: by the shapes of
 * all their modules, else by its folder.
 */
function otherEncoders(adapter: OpenedAdapter, base: BaseTensors, names: BaseNames, weights: PlacedWeights): ReadonlySet<Component> {
  const claims = new Map<Component, boolean>();
  for (const module of adapter.modules.values()) {
    const component = module.component ?? "model";
    const candidates = component.startsWith("te") ? names.lookUp(module.path, component).filter(([target]) => !target!.component) : [];
    if (candidates.length === 0) continue;
    const fitting = candidates.some((group) => fits(module, group, weights));
    claims.set(component, (claims.get(component) ?? true) && fitting);
  }
  if (claims.size < 2) return new Set();
  const fitting = [...claims].filter(([, fit]) => fit).map(([component]) => component);
  const folder = componentOfFolder(base.location ?? "");
  const chosen = fitting.length === 1 ? fitting[0] : fitting.find((component) => component === folder);
  return new Set(chosen === undefined ? [] : [...claims.keys()].filter((component) => component !== chosen));
}

/** Modules by their weights, and parameters that are no module's weight or bias, by their names. */
function modulePaths(base: BaseTensors): Set<string> {
  const paths = new Set<string>();
  for (const name of base.names())
    if (/\.(weight|qweight)$/.test(name)) paths.add(name.slice(0, name.lastIndexOf(".")));
    else if (name.endsWith(".in_proj_weight")) paths.add(name.slice(0, -"_weight".length));
    else if (!name.endsWith("bias")) paths.add(name);
  return paths;
}

function fits(module: AdapterModule, group: readonly BaseTarget[], weights: PlacedWeights): boolean {
  const matrix = weightMatrix(parametersOf(module));
  const shapes = group.map(({ path }) => weights.shapeOf(path));
  if (!matrix || shapes.some((shape) => !shape)) return true;
  const rows = shapes.reduce((sum, shape) => sum + shape![0]!, 0);
  const share = group[0]!.within?.sizes;
  const wanted = share ? (rows * share[group[0]!.within!.index]!) / share.reduce((a, b) => a + b, 0) : rows;
  return wanted === matrix[0] && shapes.every((shape) => sizeOf(shape!.slice(1)) === matrix[1]);
}

/** Candidates that a message lists. */
const SHOWN = 5;

function ambiguity(module: AdapterModule, groups: readonly (readonly BaseTarget[])[]): string {
  const names = groups.slice(0, SHOWN).map((group) => group.map(({ path }) => path).join(" + "));
  const more = groups.length > SHOWN ? ` or ${groups.length - SHOWN} others` : "";
  return `${module.name ?? module.path} may be ${names.join(" or ")}${more}; their shapes are alike`;
}
