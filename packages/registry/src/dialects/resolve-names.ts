import { sizeOf } from "@weft/tensor-core";
import type { AdapterModule, AdapterTensor, OpenedAdapter } from "../open-adapter.js";
import type { BaseTensors } from "../report/base-index.js";
import type { Component } from "./dialect.js";
import { parametersOf } from "./module-of.js";
import { BaseNames, type BaseTarget } from "./names/base-names.js";
import { partRows } from "./names/name-map.js";
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
  /** Parts of the pipeline that the base does not hold, with the number of their modules. */
  readonly elsewhere: ReadonlyMap<Component, number>;
}

/** True if names have to be looked up: files of other dialects than PEFT's. */
export const hasForeignNames = ({ modules }: OpenedAdapter): boolean =>
  [...modules.values()].some(({ component }) => component !== undefined);

/**
 * Finds the module of a base that each name of an adapter means: dots in place of underscores, diffusers' names for the original's, with and
 * without `text_model`; of several the one whose shape fits. A fused projection becomes the parts that the base keeps apart. Modules of a
 * component of which the base has nothing are left out, if it has something of another.
 */
export function resolveNames(adapter: OpenedAdapter, base: BaseTensors): ResolvedAdapter {
  const names = new BaseNames(modulePaths(base));
  const shapeOf = shapesOf(base);
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
  for (const [id, module] of adapter.modules) {
    const candidates = names.lookUp(module.path, module.component ?? "model");
    const fitting = candidates.length > 1 ? candidates.filter((group) => fits(module, group, shapeOf)) : candidates;
    const [group, ...more] = fitting.length > 0 ? fitting : candidates.slice(0, 1);
    if (!group) {
      lost.push([id, module]);
      continue;
    }
    found.add(module.component ?? "model");
    if (more.length > 0) unplaced.push({ path: module.path, message: ambiguity(module, fitting), ambiguous: true });
    else
      for (const target of group) {
        const placed = place(module, target, shapeOf);
        if (typeof placed === "string") unplaced.push({ path: module.path, message: placed });
        else put(id, placed);
      }
  }
  const elsewhere = new Map<Component, number>();
  for (const [id, module] of lost) {
    const component = module.component ?? "model";
    if (found.size > 0 && !found.has(component)) elsewhere.set(component, (elsewhere.get(component) ?? 0) + 1);
    else put(id, module);
  }
  return { adapter: { ...adapter, modules }, unplaced, elsewhere };
}

/** Modules by their weights, and parameters that are no module's weight or bias, by their names. */
function modulePaths(base: BaseTensors): Set<string> {
  const paths = new Set<string>();
  for (const name of base.names())
    if (/\.(weight|qweight)$/.test(name)) paths.add(name.slice(0, name.lastIndexOf(".")));
    else if (!name.endsWith(".bias")) paths.add(name);
  return paths;
}

/** The weight's shape; undefined if it is quantised, so that nothing is known of it. */
type ShapeOf = (path: string) => readonly number[] | undefined;

function shapesOf(base: BaseTensors): ShapeOf {
  const names = new Set(base.names());
  return (path) => [`${path}.weight`, path].filter((name) => names.has(name)).map((name) => base.info(name).shape)[0];
}

function fits(module: AdapterModule, group: readonly BaseTarget[], shapeOf: ShapeOf): boolean {
  const matrix = weightMatrix(parametersOf(module));
  const shapes = group.map(({ path }) => shapeOf(path));
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

/** The module at its place, or why it cannot be put there. */
function place(module: AdapterModule, target: BaseTarget, shapeOf: ShapeOf): AdapterModule | string {
  const name = module.name ?? module.path;
  if (target.within)
    return `${name} is a part of ${target.path}, which the base keeps in one; convert the adapter to the base's dialect first (weft convert)`;
  if (target.swapped)
    return `${name} has its halves the other way round than ${target.path}; convert the adapter to the base's dialect first (weft convert)`;
  const shape = shapeOf(target.path);
  const { name: _, flat: __, ...rest } = module;
  const placed = { ...rest, path: target.path, name };
  if (!target.part) return module.method === "LORA" && shape ? { ...placed, tensors: withKernel(module.tensors, shape) } : placed;
  const lora = module.method === "LORA" || (module.method === "LOCON" && !module.tensors.has("lora_mid.weight"));
  const up = module.tensors.get("lora_B.weight") ?? module.tensors.get("lora_up.weight");
  const rows = up && partRows(target.part, up.shape[0]!);
  if (!lora || !rows || !hasRows(module, up.shape[0]!))
    return `${name} is one weight for ${target.path} and others; ${module.method ?? "its method"} cannot be cut exactly`;
  const cut = (tensor: AdapterTensor): AdapterTensor => ({ ...tensor, shape: [rows[1] - rows[0], ...tensor.shape.slice(1)], rows });
  return { ...placed, tensors: new Map([...module.tensors].map(([key, tensor]) => [key, DOWN.has(key) ? tensor : cut(tensor)])) };
}

/** The factor that parts of a fused weight share. */
const DOWN: ReadonlySet<string> = new Set(["lora_A.weight", "lora_down.weight"]);

/** All other tensors have the weight's rows: magnitudes of input columns do not. */
const hasRows = ({ tensors }: AdapterModule, rows: number): boolean =>
  [...tensors].every(([key, { shape }]) => DOWN.has(key) || shape[0] === rows);

/** Factors of a 1×1 convolution that is a linear layer elsewhere, or the reverse: the same elements with other axes. */
function withKernel(tensors: AdapterModule["tensors"], shape: readonly number[]): AdapterModule["tensors"] {
  const [a, b] = [tensors.get("lora_A.weight"), tensors.get("lora_B.weight")];
  const kernel = shape.slice(2);
  if (!a || !b || a.shape.length === shape.length || shape.length < 2 || [...kernel, ...a.shape.slice(2)].some((d) => d !== 1))
    return tensors;
  const ones = kernel.map(() => 1);
  const magnitude = tensors.get("lora_magnitude_vector");
  return new Map([
    ...tensors,
    ["lora_A.weight", { ...a, shape: [...a.shape.slice(0, 2), ...ones] }],
    ["lora_B.weight", { ...b, shape: [...b.shape.slice(0, 2), ...ones] }],
    ...(magnitude
      ? ([["lora_magnitude_vector", { ...magnitude, shape: ones.length > 0 ? [1, b.shape[0]!, ...ones] : [b.shape[0]!] }]] as const)
      : []),
  ]);
}
