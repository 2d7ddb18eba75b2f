import type { BaseIndex } from "./base-index.js";

/** How paths of an adapter become paths of the base: `strip` is taken off the front, then `add` put there. */
export interface PathRule {
  readonly strip: string;
  readonly add: string;
}

/** transformers 4.52 moved the parts of vision-language models; adapters and checkpoints exist in both orders. */
const MOVED: readonly (readonly [string, string])[] = [
  ["language_model.model.", "model.language_model."],
  ["model.language_model.", "language_model.model."],
  ["model.", "model.language_model."],
  ["model.language_model.", "model."],
];

/** Paths that are looked at to find candidates; all paths then decide between them. */
const SAMPLE = 64;

/** The base's path of an adapter's path: what the rule strips is taken off its beginning, what it adds is put there. */
export function applyRule({ strip, add }: PathRule, path: string): string {
  return path.startsWith(strip) ? add + path.slice(strip.length) : path;
}

/**
 * Finds the rules that make an adapter's paths name modules of the base: the paths with a prefix added (adapter of `BertModel`, checkpoint with
 * `bert.`), taken off, or moved as transformers moved it. First the one that is right for most, then one for the rest: a model of several towers
 * has one for each. If two rules are equally good for a path, neither is taken, and `ambiguous` holds them.
 * @param paths that the base does not have
 */
export function findPathRules(
  paths: readonly string[],
  base: BaseIndex,
): { readonly rules: readonly PathRule[]; readonly ambiguous: readonly PathRule[] } {
  const rules: PathRule[] = [];
  let absent = paths;
  for (;;) {
    const winners = bestRules(absent, base);
    const [rule] = winners;
    const places = (path: string): Set<string> => new Set(winners.map((one) => applyRule(one, path)).filter((to) => base.modules.has(to)));
    const contested = winners.length > 1 && absent.some((path) => places(path).size > 1);
    if (!rule || contested) return { rules, ambiguous: winners };
    rules.push(rule);
    absent = absent.filter((path) => !base.modules.has(applyRule(rule, path)));
  }
}

/** The rules that make the most paths name modules of the base; several if they are equally good. */
function bestRules(absent: readonly string[], base: BaseIndex): readonly PathRule[] {
  const found = (path: string): boolean => base.modules.has(path);
  const candidates = new Map<string, PathRule>();
  const propose = (strip: string, add: string): void => {
    candidates.set(`${strip}\n${add}`, { strip, add });
  };
  for (const path of absent.slice(0, SAMPLE)) {
    for (const match of base.endingIn(path)) propose("", match.slice(0, -path.length));
    for (let dot = path.indexOf("."); dot >= 0; dot = path.indexOf(".", dot + 1)) {
      const strip = path.slice(0, dot + 1);
      if (/\.?\d[^.]*\.$/.test(strip)) break; // a layer's number is no prefix
      if (found(path.slice(dot + 1))) propose(strip, "");
    }
    for (const [strip, add] of MOVED) if (path.startsWith(strip) && found(applyRule({ strip, add }, path))) propose(strip, add);
  }
  const scored = [...candidates.values()].map((rule) => ({ rule, score: absent.filter((path) => found(applyRule(rule, path))).length }));
  const best = Math.max(0, ...scored.map(({ score }) => score));
  return scored.filter(({ score }) => score === best && best > 0).map(({ rule }) => rule);
}
