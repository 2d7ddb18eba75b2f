import type { Program } from "@weft/tensor-core";

/** A summand of a value: core (1 if there is none) · the factors, negated or not. */
export interface Term {
  readonly core?: number;
  readonly factors: readonly number[];
  readonly negative: boolean;
}

/**
 * A value as a sum of products with what is the same for all neighbours, such as the scale of a block: Σ (core · factor) · x = factor · Σ core · x.
 * @param same whether a value is the same for all of them
 */
export function linearTerms({ instructions }: Program, value: number, same: (v: number) => boolean): Term[] {
  const visit = (v: number): Term[] => {
    if (same(v)) return [{ factors: [v], negative: false }];
    const i = instructions[v]!;
    if (i.dtype === "f32") {
      if (i.op === "mul" && same(i.a)) return visit(i.b).map((t) => ({ ...t, factors: [...t.factors, i.a] }));
      if (i.op === "mul" && same(i.b)) return visit(i.a).map((t) => ({ ...t, factors: [...t.factors, i.b] }));
      if (i.op === "add") return [...visit(i.a), ...visit(i.b)];
      if (i.op === "sub") return [...visit(i.a), ...visit(i.b).map(negated)];
      if (i.op === "neg") return visit(i.a).map(negated);
    }
    return [{ core: v, factors: [], negative: false }];
  };
  const terms = visit(value);
  // More than one sum over the elements would cost more than the factors.
  return terms.filter(({ core }) => core !== undefined).length <= 1 ? terms : [{ core: value, factors: [], negative: false }];
}

const negated = (t: Term): Term => ({ ...t, negative: !t.negative });
