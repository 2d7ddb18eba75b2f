/** A whole number that runs from 0 to below `length`, as a variable of this name. */
export interface Counter {
  readonly name: string;
  readonly length: number;
}

/** A whole number as constant + Σ factor · counter, each counter once, in the order of their names. */
export interface Affine {
  readonly constant: number;
  readonly terms: readonly { readonly counter: Counter; readonly factor: number }[];
}

export const constant = (value: number): Affine => ({ constant: value, terms: [] });
export const counting = (counter: Counter): Affine => ({ constant: 0, terms: [{ counter, factor: 1 }] });

export function sum(a: Affine, b: Affine): Affine {
  const factors = new Map(a.terms.map((term) => [term.counter.name, term]));
  for (const { counter, factor } of b.terms)
    factors.set(counter.name, { counter, factor: factor + (factors.get(counter.name)?.factor ?? 0) });
  const terms = [...factors.values()].filter(({ factor }) => factor !== 0);
  return { constant: a.constant + b.constant, terms: terms.sort((x, y) => (x.counter.name < y.counter.name ? -1 : 1)) };
}

export function scaled({ constant: c, terms }: Affine, by: number): Affine {
  return by === 0 ? constant(0) : { constant: c * by, terms: terms.map(({ counter, factor }) => ({ counter, factor: factor * by })) };
}

/** The least and the largest that it can be. */
export function rangeOf({ constant: c, terms }: Affine): readonly [least: number, most: number] {
  const ends = terms.map(({ counter, factor }) => factor * (counter.length - 1));
  const total = (list: readonly number[]): number => list.reduce((x, y) => x + y, c);
  return [total(ends.filter((end) => end < 0)), total(ends.filter((end) => end > 0))];
}

/** The part whose factors are multiples of `n` and what is left of it: a = n · quotient + rest. */
export function multiples(a: Affine, n: number): { readonly quotient: Affine; readonly rest: Affine } {
  const whole = a.terms.filter(({ factor }) => factor % n === 0);
  const low = ((a.constant % n) + n) % n;
  return {
    quotient: { constant: (a.constant - low) / n, terms: whole.map(({ counter, factor }) => ({ counter, factor: factor / n })) },
    rest: { constant: low, terms: a.terms.filter(({ factor }) => factor % n !== 0) },
  };
}

/** ⌊a / n⌋ and what is left, where they are such numbers, too. */
export function divided(a: Affine, n: number): { readonly quotient: Affine; readonly rest: Affine } | undefined {
  const parts = multiples(a, n);
  const [least, most] = rangeOf(parts.rest);
  return least >= 0 && most < n ? parts : undefined;
}
