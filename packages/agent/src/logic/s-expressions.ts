import { logicError, logicLimit } from "./logic-error.js";

/** Longest script, in UTF-16 units. */
const MAX_SCRIPT_LENGTH = 100_000;

/** An s-expression of SMT-LIB 2: where it lies, and the first word of a list. */
export interface Expression {
  readonly text: string;
  /** `declare-const` of `(declare-const x Int)`; undefined of what is no list. */
  readonly head: string | undefined;
}

const PIECE = /\s+|;[^\n]*(?:\n|$)|"(?:[^"]|"")*"|\|[^|\\]*\||[()]|[^\s;"|()]+/uy;

/** The expressions of a text, one after the other. @throws ConfigError kinds `logic`, `limit` */
export function expressionsOf(text: string): readonly Expression[] {
  if (text.length > MAX_SCRIPT_LENGTH) throw logicLimit(`SMT-LIB of more than ${MAX_SCRIPT_LENGTH} characters`);
  const found: Expression[] = [];
  let [depth, from, at] = [0, 0, 0];
  let head: string | undefined;
  while (at < text.length) {
    PIECE.lastIndex = at;
    const piece = PIECE.exec(text)?.[0];
    if (piece === undefined) throw logicError(`SMT-LIB: ${JSON.stringify(text.slice(at, at + 20))} does not end`);
    const blank = /^[\s;]/u.test(piece);
    if (!blank && depth === 0) [from, head] = [at, undefined];
    if (!blank && depth === 1 && head === undefined && piece !== ")") head = piece;
    if (piece === "(") depth++;
    if (piece === ")" && --depth < 0) throw logicError("SMT-LIB: a bracket closes nothing");
    at += piece.length;
    if (!blank && depth === 0) found.push({ text: text.slice(from, at), head });
  }
  if (depth > 0) throw logicError("SMT-LIB: a bracket is not closed");
  return found;
}
