import { type Formula, variablesOf } from "./formula.js";
import { logicLimit } from "./logic-error.js";

/** Values of variables. */
export type Assignment = ReadonlyMap<string, boolean>;

/** Most assignments that a search looks at. */
const MAX_ASSIGNMENTS = 200_000;

/** The value of a formula where only some variables have one; undefined where it depends on others. */
export function valueOf(formula: Formula, given: Assignment): boolean | undefined {
  switch (formula.kind) {
    case "constant":
      return formula.value;
    case "variable":
      return given.get(formula.name);
    case "not": {
      const of = valueOf(formula.of, given);
      return of === undefined ? undefined : !of;
    }
    default: {
      const [left, right] = [valueOf(formula.left, given), valueOf(formula.right, given)];
      if (formula.kind === "and") return left === false || right === false ? false : left && right;
      if (formula.kind === "or") return left || right || (left === undefined || right === undefined ? undefined : false);
      if (formula.kind === "implies") return left === false || right ? true : left === undefined || right === undefined ? undefined : false;
      if (left === undefined || right === undefined) return undefined;
      return formula.kind === "iff" ? left === right : left !== right;
    }
  }
}

/**
 * Values that make all formulas true, or undefined if there are none. Gives variables values one after the other, and turns back as soon as a formula is false.
 * @throws ConfigError kind `limit`
 */
export function satisfy(formulas: readonly Formula[]): Assignment | undefined {
  const names = [...new Set(formulas.flatMap((one) => [...variablesOf(one)]))];
  let left = MAX_ASSIGNMENTS;
  const search = (given: Map<string, boolean>, at: number): Assignment | undefined => {
    if (left-- === 0)
      throw logicLimit(`the search looked at ${MAX_ASSIGNMENTS} assignments of ${names.length} variables; state it for the SMT solver`);
    if (formulas.some((one) => valueOf(one, given) === false)) return undefined;
    if (at === names.length) return new Map(given);
    for (const value of [true, false]) {
      given.set(names[at]!, value);
      const found = search(given, at + 1);
      if (found) return found;
    }
    given.delete(names[at]!);
    return undefined;
  };
  return search(new Map(), 0);
}

/** Of formulas that cannot all be true, some that cannot either, and of which none is too many. @returns their places @throws ConfigError kind `limit` */
export function unsatisfiableCore(formulas: readonly Formula[]): readonly number[] {
  let kept = formulas.map((_, i) => i);
  for (let i = 0; i < formulas.length; i++) {
    const without = kept.filter((place) => place !== i);
    if (!satisfy(without.map((place) => formulas[place]!))) kept = without;
  }
  return kept;
}
