import { logicError, logicLimit } from "./logic-error.js";

/** A formula of propositional logic. */
export type Formula =
  | { readonly kind: "constant"; readonly value: boolean }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "not"; readonly of: Formula }
  | { readonly kind: "and" | "or" | "xor" | "implies" | "iff"; readonly left: Formula; readonly right: Formula };

type Connective = "and" | "or" | "xor" | "implies" | "iff";

/** Longest formula, in UTF-16 units. */
const MAX_FORMULA_LENGTH = 10_000;
/** Most names and signs of one: what is written from the left without brackets is nested as deeply. */
const MAX_FORMULA_PIECES = 2000;
/** Deepest nesting of one: reading and evaluating recurse. */
const MAX_FORMULA_DEPTH = 200;

/** From those that hold together least to those that do most. `->` groups from the right, the others from the left. */
const LEVELS: readonly (readonly [Connective, readonly string[]])[] = [
  ["iff", ["<->", "iff", "↔", "<=>"]],
  ["implies", ["->", "implies", "→", "=>"]],
  ["or", ["|", "||", "or", "∨"]],
  ["xor", ["xor", "^", "⊕"]],
  ["and", ["&", "&&", "and", "∧"]],
];
const NOT = ["!", "~", "not", "¬"];
const PIECE = /\s*(<->|<=>|->|=>|\|\||&&|[|&!~^()↔→∨∧¬⊕]|[\p{L}_][\p{L}\p{N}_]*)/uy;

/** Reads `(p -> q) & !q`. @throws ConfigError kinds `logic`, `limit` */
export function parseFormula(text: string): Formula {
  if (text.length > MAX_FORMULA_LENGTH) throw logicLimit(`a formula has more than ${MAX_FORMULA_LENGTH} characters`);
  const pieces = piecesOf(text);
  if (pieces.length > MAX_FORMULA_PIECES) throw logicLimit(`a formula has more than ${MAX_FORMULA_PIECES} names and signs`);
  let [place, depth] = [0, 0];
  const take = (any: readonly string[]): boolean => any.includes(pieces[place] ?? "") && ++place > 0;
  const wrong = (): Error =>
    logicError(`${JSON.stringify(text)}: ${pieces[place] === undefined ? "ends too early" : `${pieces[place]} means nothing here`}`);
  const deeper = (read: () => Formula): Formula => {
    if (++depth > MAX_FORMULA_DEPTH) throw logicLimit(`a formula is nested more than ${MAX_FORMULA_DEPTH} deep`);
    const formula = read();
    depth--;
    return formula;
  };
  const level = (at: number): Formula => {
    const found = LEVELS[at];
    if (!found) return unary();
    const [kind, names] = found;
    let left = level(at + 1);
    while (take(names)) left = { kind, left, right: kind === "implies" ? deeper(() => level(at)) : level(at + 1) };
    return left;
  };
  const unary = (): Formula =>
    deeper(() => {
      if (take(NOT)) return { kind: "not", of: unary() };
      if (take(["("])) {
        const inner = level(0);
        if (!take([")"])) throw wrong();
        return inner;
      }
      const name = pieces[place];
      if (name === undefined || !/^[\p{L}_]/u.test(name) || LEVELS.some(([, names]) => names.includes(name))) throw wrong();
      place++;
      return /^(true|false)$/i.test(name) ? { kind: "constant", value: /^t/i.test(name) } : { kind: "variable", name };
    });
  const formula = level(0);
  if (place < pieces.length) throw wrong();
  return formula;
}

function piecesOf(text: string): readonly string[] {
  const pieces: string[] = [];
  PIECE.lastIndex = 0;
  for (let at = 0; text.slice(at).trim() !== ""; at = PIECE.lastIndex) {
    PIECE.lastIndex = at;
    const found = PIECE.exec(text);
    if (!found) throw logicError(`${JSON.stringify(text)}: ${text.slice(at).trim()[0]} means nothing here`);
    pieces.push(found[1]!);
  }
  return pieces;
}

/** The names of a formula's variables. */
export function variablesOf(formula: Formula): ReadonlySet<string> {
  switch (formula.kind) {
    case "constant":
      return new Set();
    case "variable":
      return new Set([formula.name]);
    case "not":
      return variablesOf(formula.of);
    default:
      return new Set([...variablesOf(formula.left), ...variablesOf(formula.right)]);
  }
}
