import { calculationError, calculationLimit } from "./calculation-error.js";
import { MAX_EXPRESSION_LENGTH } from "./limits.js";

/** A piece of an expression. */
export interface Token {
  readonly kind: "number" | "name" | "sign" | "end";
  readonly text: string;
  /** Where it begins, in UTF-16 units. */
  readonly at: number;
}

const PIECE =
  /\s*(?:(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|([\p{L}_][\p{L}\p{N}_]*)|(\*\*|<=|>=|!=|==|~=|\+-|[-+*/^%!()[\],<>=±·×÷≤≥≠≈−]))/uy;
/** Signs that are written in several ways. */
const SAME: ReadonlyMap<string, string> = new Map([
  ["**", "^"],
  ["·", "*"],
  ["×", "*"],
  ["÷", "/"],
  ["−", "-"],
  ["+-", "±"],
  ["==", "="],
  ["≤", "<="],
  ["≥", ">="],
  ["≠", "!="],
  ["~=", "≈"],
]);

/** The pieces of an expression, with an end behind them. @throws ConfigError kinds `calculation`, `limit` */
export function tokensOf(text: string): readonly Token[] {
  if (text.length > MAX_EXPRESSION_LENGTH) throw calculationLimit(`the expression has more than ${MAX_EXPRESSION_LENGTH} characters`);
  const tokens: Token[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    PIECE.lastIndex = at;
    const found = PIECE.exec(text);
    if (!found) {
      const place = at + text.slice(at).search(/\S/u);
      throw calculationError(`${JSON.stringify(text[place])} means nothing here (character ${place + 1})`);
    }
    const [whole, number, name, sign] = found;
    const piece = number ?? name ?? sign!;
    const kind = number !== undefined ? "number" : name !== undefined ? "name" : "sign";
    tokens.push({ kind, text: SAME.get(piece) ?? piece, at: at + whole.length - piece.length });
    at += whole.length;
  }
  return [...tokens, { kind: "end", text: "", at: text.length }];
}
