/**
 * What transformers does to the values: `split` gives parts of the sizes that the model has; `orient` turns a stack of matrices where the model has
 * them the other way round; `other` is anything else, by its name.
 */
export type Operation =
  | readonly [kind: "stack" | "join" | "chunk" | "split" | "transpose" | "orient", ...axes: number[]]
  | readonly [kind: "other", name: string];

/**
 * One entry of transformers' table: tensor names on disk that match a pattern of `from` become the name in `to`. With `operations` the tensors of
 * all patterns are put together (several in `from`), or one is taken apart (several in `to`).
 */
export interface Conversion {
  /** Regular expressions, of which the first that is found in a name counts. `star` is an expert's number. */
  readonly from: readonly string[];
  /** What the matched part of the name becomes; `\1` is the pattern's first group. */
  readonly to: readonly string[];
  readonly operations?: readonly Operation[];
  /** Only names in this part of the model, with or without the prefix that the model's base has: [prefix, part]. */
  readonly scope?: readonly [prefix: string, part: string];
}

/** What becomes of a name. */
export interface Converted {
  /** Names in the model: one, or those of the tensors that it is taken apart into. */
  readonly names: readonly string[];
  /** How it is put together or taken apart; not set where it is only renamed. */
  readonly by?: {
    readonly operations: readonly Operation[];
    /** Which of the patterns it matched, and how many there are. */
    readonly source: number;
    readonly sources: number;
    /** The expert's number, if it is one of several. */
    readonly expert: number | undefined;
  };
}

/** A list of conversions as a function of names on disk: renamings in order, then at most one that changes values. @see transformers `core_model_loading.py` */
export function createConverter(list: readonly Conversion[]): (name: string) => Converted {
  const compiled = list.map((conversion) => ({ ...conversion, patterns: conversion.from.map((pattern) => new RegExp(pattern)) }));
  const renamings = compiled.filter(({ operations }) => !operations);
  const converters = compiled.filter(({ operations }) => operations);
  return (name) => {
    let renamed = name;
    for (const rule of renamings) renamed = apply(rule, renamed)?.names[0] ?? renamed;
    for (const rule of converters) {
      const found = apply(rule, renamed);
      if (found) return found;
    }
    return { names: [renamed] };
  };
}

interface Compiled extends Conversion {
  readonly patterns: readonly RegExp[];
}

function apply({ patterns, to, operations, scope }: Compiled, name: string): Converted | undefined {
  const prefix = scopePrefix(scope, name);
  if (prefix === undefined) return undefined;
  const rest = name.slice(prefix.length);
  let best: { match: RegExpExecArray; source: number } | undefined;
  for (const [source, pattern] of patterns.entries()) {
    const match = pattern.exec(rest);
    if (match && (!best || match.index < best.match.index)) best = { match, source };
  }
  if (!best) return undefined;
  const { match, source } = best;
  const names = to.map((template) => {
    const text = template.replace(String.raw`\1`, () => match[1] ?? "");
    return prefix + rest.slice(0, match.index) + text + rest.slice(match.index + match[0].length);
  });
  const star = /\d+/.exec(match.groups?.star ?? "");
  const by = operations && { operations, source, sources: patterns.length, expert: star ? Number(star[0]) : undefined };
  return { names, ...(by && { by }) };
}

/** What of a name lies in front of the part that a rule looks at; undefined if the name is not in its scope. */
function scopePrefix(scope: Conversion["scope"], name: string): string | undefined {
  if (!scope) return "";
  const [base, part] = scope.map((s) => (s === "" ? "" : `${s}.`)) as [string, string];
  return [base + part, part].find((prefix) => name.startsWith(prefix));
}
