import type { BaseIndex } from "./base-index.js";

/** How paths of an adapter become paths of the base: `strip` is taken off the front, then `add` put there. */
export interface PathRule {
  readonly strip: string;
  readonly add: string;
}

/** Paths stay as they are. */
export const SAME_PATHS: PathRule = { strip: "", add: "" };

/** transformers 4.52 moved the parts of vision-language models; adapters and checkpoints exist in both orders. */
const MOVED: readonly (readonly [string, string])[] = [
  ["language_model.model.", "model.language_model."],
  ["model.language_model.", "language_model.model."],
  ["model.", "model.language_model."],
  ["model.language_model.", "model."],
];

/** Paths that are looked at to find candidates; all paths then decide between them. */
const SAMPLE = 64;

export function applyRule({ strip, add }: PathRule, path: string): string {
  return path.startsWith(strip) ? add + path.slice(strip.length) : path;
}

/**
 * Finds the one rule that makes most of an adapter's paths name modules of the base: the paths as they are, or with a prefix
 * added (adapter of `BertModel`, checkpoint with `bert.`), taken off, or moved as transformers moved it.
 * If two rules are equally good, neither is taken, and `ambiguous` holds them.
 */
export function findPathRule(
  paths: readonly string[],
  base: BaseIndex,
): { readonly rule: PathRule; readonly ambiguous: readonly PathRule[] } {
  const found = (path: string): boolean => base.modules.has(path);
  const absent = paths.filter((path) => !found(path));
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
  const winners = scored.filter(({ score }) => score === best && best > 0).map(({ rule }) => rule);
  if (winners.length === 1) return { rule: winners[0]!, ambiguous: [] };
  return { rule: SAME_PATHS, ambiguous: winners };
}
