import type { Placement } from "./placement.js";

/** What a base is matched by: names and shapes. Every `WeightSource` has them. */
export interface BaseTensors {
  /** Where it lies: the folder may say which part of a pipeline it is. */
  readonly location?: string;
  names(): Iterable<string>;
  info(name: string): { readonly dtype: string; readonly shape: readonly number[] };
  /** Of a name that is no tensor of the base, but a weight that its tensors hold otherwise: where it lies. */
  placement?(name: string): Placement | undefined;
}

/** A base with weights beside its own, under names of their own, that its tensors hold otherwise. */
export function withPlacements(base: BaseTensors, placements: ReadonlyMap<string, Placement>): BaseTensors {
  return {
    ...(base.location !== undefined && { location: base.location }),
    names: () => [...base.names(), ...placements.keys()],
    info: (name) => placements.get(name) ?? base.info(name),
    placement: (name) => placements.get(name) ?? base.placement?.(name),
  };
}

/** Parts of the longest prefix that is looked for: `model.language_model.` and the like. */
const MAX_PREFIX_PARTS = 4;

/** Tensor names of a base by module. */
export interface BaseIndex {
  /** Module path → names of its tensors behind the path. */
  readonly modules: ReadonlyMap<string, ReadonlySet<string>>;
  /** Module paths that are `suffix` with up to `MAX_PREFIX_PARTS` parts in front, at most three of them. */
  endingIn(suffix: string): readonly string[];
}

export function indexBase(names: Iterable<string>): BaseIndex {
  const modules = new Map<string, Set<string>>();
  for (const name of names) {
    const dot = name.lastIndexOf(".");
    const path = dot < 0 ? "" : name.slice(0, dot);
    const parts = modules.get(path) ?? new Set<string>();
    modules.set(path, parts.add(name.slice(dot + 1)));
  }
  let suffixes: Map<string, string[]> | undefined;
  return {
    modules,
    endingIn(suffix) {
      suffixes ??= suffixesOf(modules.keys());
      return suffixes.get(suffix) ?? [];
    },
  };
}

function suffixesOf(paths: Iterable<string>): Map<string, string[]> {
  const suffixes = new Map<string, string[]>();
  for (const path of paths) {
    for (let dot = path.indexOf("."), parts = 1; dot >= 0 && parts <= MAX_PREFIX_PARTS; dot = path.indexOf(".", dot + 1), parts++) {
      const suffix = path.slice(dot + 1);
      const list = suffixes.get(suffix);
      if (!list) suffixes.set(suffix, [path]);
      else if (list.length < 3) list.push(path);
    }
  }
  return suffixes;
}
