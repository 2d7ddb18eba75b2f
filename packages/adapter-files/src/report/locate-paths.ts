import { type Conversion, createConverter } from "../transformers/conversion.js";
import { allConversions, conversionsOf, type ModelKind } from "../transformers/conversions-of.js";
import { type ModelNames, modelNames } from "../transformers/model-names.js";
import { type BaseIndex, type BaseTensors, indexBase, withPlacements } from "./base-index.js";
import { applyRule, findPathRules, type PathRule } from "./path-rule.js";
import type { Placement } from "./placement.js";

/** Where an adapter's paths lie in a base. */
export interface Located {
  /** The base, with the weights that it holds under other names or otherwise. */
  readonly base: BaseTensors;
  readonly index: BaseIndex;
  /** The path of the base that a path of the adapter means, or its likeliest form where the base has none. */
  locate(path: string): string;
  /** Why the path's weight, which the base has, cannot be found in its tensors; undefined if the base does not have it. */
  refusal?(path: string): string | undefined;
  readonly rules: readonly PathRule[];
  readonly ambiguous: readonly PathRule[];
}

/** What is known of the names. */
export interface LocateOptions {
  readonly rule?: PathRule | undefined;
  readonly model?: ModelKind | undefined;
}

/**
 * Finds the modules of a base that an adapter's paths mean. In this order: paths as they are; under the names that transformers gives the
 * checkpoint's tensors in the model, today or before; with a prefix added, removed or moved, for each part of the model; and, where nothing is known of
 * the model, by whichever of transformers' conversions brings all paths together with the base.
 * @param paths that must exist in the base
 * @param added paths that may be new in it
 */
export async function locatePaths(
  paths: readonly string[],
  added: readonly string[],
  base: BaseTensors,
  { rule, model }: LocateOptions,
): Promise<Located> {
  const own = indexBase(base.names());
  const list = model && (await conversionsOf(model));
  const known = new Names(base, list, [...paths, ...added], model);
  const absent = paths.filter((path) => !known.has(path));
  const { rules, ambiguous } = rule ? { rules: [rule], ambiguous: [] } : findPathRules(absent, own);
  const moved = (path: string): string => rules.map((one) => applyRule(one, path)).find((to) => own.modules.has(to)) ?? path;
  const lost = [...absent.filter((path) => !own.modules.has(moved(path))), ...(model ? [] : added.filter((path) => !known.has(path)))];
  // What the model is said to rearrange is not tried by another model's conversions.
  const open = lost.length > 0 && ambiguous.length === 0 && !rule && lost.every((path) => known.refusal(path) === undefined);
  const names = (open && guess(base, [...new Set([...paths, ...lost])], await allConversions())) || known;
  const locate = (path: string): string => {
    if (names.has(path)) return names.locate(path);
    const to = moved(path);
    return rules.length === 1 && !own.modules.has(to) ? applyRule(rules[0]!, path) : to;
  };
  return { base: names.base, index: names.index, locate, refusal: (path) => names.refusal(path), rules, ambiguous };
}

/** The base as one list of conversions reads it; with none, as it is. */
class Names {
  readonly base: BaseTensors;
  readonly index: BaseIndex;
  private readonly paths = new Map<string, string>();

  private readonly refusals = new Map<string, string>();

  constructor(base: BaseTensors, list: readonly Conversion[] | undefined, wanted: readonly string[], kind?: ModelKind) {
    const model = list && modelNames(base, list, kind);
    const placements = new Map<string, Placement>(model?.placements);
    const plain = new Set(base.names());
    for (const path of model ? wanted : []) this.place(path, model!, plain, placements);
    this.base = placements.size > 0 ? withPlacements(base, placements) : base;
    this.index = indexBase(this.base.names());
  }

  /** Notes where a path's weight lies that is no weight of the checkpoint or of the model under that name. */
  private place(path: string, model: ModelNames, plain: ReadonlySet<string>, placements: Map<string, Placement>): void {
    const name = `${path}.weight`;
    if (plain.has(name) || placements.has(name)) return;
    const found = model.place(name);
    if (!found) {
      const refusal = model.refusal(path);
      if (refusal !== undefined) this.refusals.set(path, refusal);
      const renamed = model.rename(name);
      if (renamed !== name) this.paths.set(path, renamed.slice(0, -".weight".length));
      return;
    }
    if (found.name === name) placements.set(name, found.placement!);
    else this.paths.set(path, found.name.slice(0, -".weight".length));
  }

  has(path: string): boolean {
    return this.index.modules.has(path) || this.index.modules.has(this.locate(path));
  }

  locate(path: string): string {
    return this.index.modules.has(path) ? path : (this.paths.get(path) ?? path);
  }

  refusal(path: string): string | undefined {
    return this.refusals.get(path);
  }

  /** The tensors of the base that a path's module lies in. */
  tensors(path: string): readonly unknown[] {
    const at = this.locate(path);
    return [...(this.index.modules.get(at) ?? [])].map((part) => this.base.placement?.(`${at}.${part}`)?.parts ?? `${at}.${part}`);
  }
}

/** Names of a base that are looked at to see whether a list of conversions has anything to do with it. */
const SAMPLE = 64;

/**
 * The names by the conversions that all paths are found with; undefined if there are none, or if they put a path into different tensors. Where there are
 * none, those by which the base has all paths, though some cannot be found in its tensors, so that it is said why.
 */
function guess(base: BaseTensors, paths: readonly string[], all: readonly (readonly Conversion[])[]): Names | undefined {
  const sample = [...paths.map((path) => `${path}.weight`), ...base.names()].slice(0, paths.length + SAMPLE);
  const relevant = all.filter((list) => {
    const convert = createConverter(list);
    return sample.some((name) => convert(name).names[0] !== name);
  });
  const readings = relevant.map((list) => new Names(base, list, paths));
  const [first, ...rest] = readings.filter((names) => paths.every((path) => names.has(path)));
  if (!first) return readings.find((names) => paths.every((path) => names.has(path) || names.refusal(path) !== undefined));
  const where = (names: Names): string => JSON.stringify(paths.map((path) => names.tensors(path)));
  return rest.some((names) => where(names) !== where(first)) ? undefined : first;
}
