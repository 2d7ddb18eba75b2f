import type { Component } from "../dialect.js";
import { flatten } from "../flat-dialect.js";
import { CLIP_TEXT } from "./clip.js";
import { NORM_SCALE } from "./flux.js";
import { NAME_MAPS, namingOf, partOf } from "./families.js";
import type { Family, NameMap, Part, Renamed } from "./name-map.js";
import { denoiserPaths, splitRoot } from "./roots.js";

/** A module of a base that a name of an adapter may mean. */
export interface BaseTarget {
  /** Its path in the base. */
  readonly path: string;
  /** The base keeps as a module of its own what is a part of the adapter's fused one. */
  readonly part?: Part;
  /** The adapter's module is a part of this fused one of the base. */
  readonly within?: Part;
  readonly swapped?: boolean;
  /** The name is the other style's. */
  readonly renamed?: boolean;
  /** The component that the base's path says it belongs to. */
  readonly component: Component | undefined;
}

/** Module paths of a base by every name that an adapter may have for them. */
export class BaseNames {
  /** Flat name → entries, told apart by path and part. */
  private readonly byFlat = new Map<string, Map<string, BaseTarget>>();
  private readonly paths: ReadonlySet<string>;
  /** Paths of its denoiser, and the families that they may be of. */
  private readonly denoiser: readonly string[];
  private readonly families: readonly Family[];
  /** What its modules are called elsewhere. */
  private readonly maps: readonly NameMap[];

  constructor(paths: Iterable<string>) {
    this.paths = new Set(paths);
    this.denoiser = denoiserPaths(this.paths).map(({ path }) => path);
    this.families = namingOf(this.denoiser.map((path) => ({ path }))).candidates;
    this.maps = [...this.families.map((family) => NAME_MAPS[family]), CLIP_TEXT];
    for (const path of this.paths) this.addPath(path);
  }

  /**
   * The modules that a name may mean: one, or the parts of a fused one together, per entry of the result.
   * @param path dotted, or flat
   */
  lookUp(path: string, component: Component): readonly (readonly BaseTarget[])[] {
    const entries = [...(this.byFlat.get(flatten(path))?.values() ?? [])];
    const fitting = entries.filter(
      (entry) => entry.component === undefined || component === "model" || sameComponent(entry.component, component),
    );
    // A name without dots is no path, even where a module is called so.
    const exact = path.includes(".") ? fitting.filter((entry) => entry.path === path && !entry.part && !entry.within) : [];
    if (exact.length > 0) return exact.map((entry) => [entry]);
    const whole = fitting.filter(({ part }) => !part).map((entry) => [entry]);
    const parts = fitting.filter(({ part }) => part);
    return parts.length > 0 ? [...whole, parts.toSorted((a, b) => a.part!.index - b.part!.index)] : whole;
  }

  /** What the base's denoiser lacks as a whole that a module of this name belongs to, and other models of its family have. */
  absentPart(path: string): string | undefined {
    for (const family of this.families) {
      const part = partOf(family, path);
      if (part && !this.denoiser.some((own) => part.modules.test(own))) return part.name;
    }
    return undefined;
  }

  private addPath(path: string): void {
    this.add(path, { path, component: undefined });
    const { path: own, component } = splitRoot(path);
    const inner = own.endsWith(NORM_SCALE) ? own.slice(0, own.lastIndexOf(".")) : own;
    const views: (Renamed & { within?: Part; renamed?: boolean })[] = [{ path: inner }];
    for (const map of this.maps) {
      // Under the original's name it may be one part of a fused module; under diffusers' it may hold several.
      const original = map.toOriginal(inner);
      if (original && original.path !== inner)
        for (const path of map.spellings(original.path)) views.push({ ...original, path, renamed: true });
      for (const path of map.spellings(inner)) views.push({ path });
      for (const { path, part } of map.partsOf(inner)) views.push({ path, within: part!, renamed: true });
      for (const { part, ...renamed } of map.toDiffusers(inner) ?? [])
        if (renamed.path !== inner) views.push({ ...renamed, ...(part && { within: part }), renamed: true });
    }
    for (const view of views.slice()) for (const alias of aliases(view.path)) views.push({ ...view, path: alias });
    for (const { path: name, ...rest } of views) this.add(name, { ...rest, path, component });
  }

  private add(name: string, entry: BaseTarget): void {
    const key = flatten(name);
    const entries = this.byFlat.get(key) ?? new Map<string, BaseTarget>();
    this.byFlat.set(key, entries);
    const id = `${entry.path}\n${entry.part?.index ?? ""}\n${entry.within?.index ?? ""}`;
    if (!entries.has(id)) entries.set(id, entry);
  }
}

const sameComponent = (a: Component, b: Component): boolean => a === b || (a === "te1" && b === "te") || (a === "te" && b === "te1");

/** Where language models keep their layers. */
const BODIES = ["model.language_model.", "language_model.model.", "model."];

/** Names that differ between versions of one library: transformers 5.6 dropped `text_model`; `to_out` holds its projection at 0. */
function aliases(path: string): string[] {
  const names: string[] = [];
  if (path.startsWith("text_model.")) names.push(path.slice("text_model.".length));
  else if (path.startsWith("encoder.layers.")) names.push(`text_model.${path}`);
  if (path.endsWith(".to_out.0")) names.push(path.slice(0, -2));
  // An adapter of the body alone (LlamaModel), a checkpoint of the model with its head.
  for (const prefix of BODIES) if (path.startsWith(prefix)) names.push(path.slice(prefix.length));
  return names;
}
