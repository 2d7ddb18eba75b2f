import type { TensorSpec } from "../tensor-spec.js";
import type { Ops } from "./ops.js";
import type { GradientRule } from "./primitive.js";

/** The rule of max and min: the gradient goes to the side that wins, half to each at a tie (as torch). */
export function shareAtTie(wins: <T extends TensorSpec>(a: T, b: T, o: Ops<T>) => T): GradientRule {
  return ({ inputs: [a, b] }, dy, o) => {
    const tie = o.mul(o.where(o.equal(a!, b!), dy, 0), 0.5);
    return [o.add(o.where(wins(a!, b!, o), dy, 0), tie), o.add(o.where(wins(b!, a!, o), dy, 0), tie)];
  };
}
