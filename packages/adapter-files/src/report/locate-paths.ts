import { namesOf } from "../transformers/conversions-of.js";
import type { ModelKind } from "../transformers/model-kind.js";
import { type BaseIndex, type BaseTensors, indexBase } from "./base-index.js";
import { Names } from "./names.js";
import { applyRule, findPathRules, type PathRule } from "./path-rule.js";

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
  const wanted = [...paths, ...added];
  // Most adapters need none of what follows, which takes the table of all conversions.
  if (!rule && wanted.every((path) => own.modules.get(path)?.has("weight")))
    return { base, index: own, locate: (path) => path, rules: [], ambiguous: [] };
  const known = new Names(base, wanted, model && (await namesOf(base, model)));
  const absent = paths.filter((path) => !known.has(path));
  const { rules, ambiguous } = rule ? { rules: [rule], ambiguous: [] } : findPathRules(absent, own);
  const moved = (path: string): string => rules.map((one) => applyRule(one, path)).find((to) => own.modules.has(to)) ?? path;
  const lost = [...absent.filter((path) => !own.modules.has(moved(path))), ...(model ? [] : added.filter((path) => !known.has(path)))];
  // What the model is said to rearrange is not tried by another model's conversions.
  const open = lost.length > 0 && ambiguous.length === 0 && !rule && lost.every((path) => known.refusal(path) === undefined);
  const guessed = open ? (await import("./guess-names.js")).guessNames(base, [...new Set([...paths, ...lost])]) : undefined;
  const names = guessed ?? known;
  const locate = (path: string): string => {
    if (names.has(path)) return names.locate(path);
    const to = moved(path);
    return rules.length === 1 && !own.modules.has(to) ? applyRule(rules[0]!, path) : to;
  };
  return { base: names.base, index: names.index, locate, refusal: (path) => names.refusal(path), rules, ambiguous };
}
