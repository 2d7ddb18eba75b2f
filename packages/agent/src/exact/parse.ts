import { calculationError, calculationLimit } from "./calculation-error.js";
import { MAX_EXPRESSION_DEPTH } from "./limits.js";
import { type Token, tokensOf } from "./tokens.js";

/** Operators between two values. */
export type Operator = "+" | "-" | "*" | "/" | "^" | "mod" | "±";
/** Relations between two values. */
export type Relation = "=" | "!=" | "<" | "<=" | ">" | ">=" | "≈" | "within";

/** What an expression is made of. */
export type Node =
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Node[] }
  | { readonly kind: "interval"; readonly lo: Node; readonly hi: Node }
  | { readonly kind: "negate"; readonly of: Node }
  | { readonly kind: "factorial"; readonly of: Node }
  /** `implicit`: a product without a sign, `5 kg`. */
  | { readonly kind: "binary"; readonly operator: Operator; readonly left: Node; readonly right: Node; readonly implicit?: boolean }
  /** `to`: in another unit. */
  | { readonly kind: "convert"; readonly of: Node; readonly unit: Node; readonly unitText: string };

/** Expressions with relations between them: `a < b = c`. */
export interface Chain {
  readonly sides: readonly Node[];
  readonly relations: readonly Relation[];
}

const RELATIONS: readonly string[] = ["=", "!=", "<", "<=", ">", ">=", "≈", "within"];
const RESERVED: readonly string[] = ["mod", "to", "in", "within"];

/** An expression. @throws ConfigError kinds `calculation` (with the place), `limit` */
export function parseExpression(text: string): Node {
  const { sides, relations } = parseChain(text);
  if (relations.length > 0)
    throw calculationError(`a value is expected, and ${JSON.stringify(text)} is a relation`, "calculate one side of it");
  return sides[0]!;
}

/** An expression, or several with relations between them. @throws ConfigError kinds `calculation`, `limit` */
export function parseChain(text: string): Chain {
  return new Parser(text).chain();
}

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #place = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  chain(): Chain {
    const sides = [this.#value()];
    const relations: Relation[] = [];
    for (let found = this.#take(RELATIONS); found; found = this.#take(RELATIONS)) {
      relations.push(found as Relation);
      sides.push(this.#value());
    }
    if (this.#next.kind !== "end") throw this.#unexpected("an operator");
    return { sides, relations };
  }

  get #next(): Token {
    return this.#tokens[this.#place]!;
  }

  #take(texts: readonly string[]): string | undefined {
    const { kind, text } = this.#next;
    if (kind === "number" || kind === "end" || !texts.includes(text)) return undefined;
    this.#place++;
    return text;
  }

  #expect(text: string): void {
    if (!this.#take([text])) throw this.#unexpected(JSON.stringify(text));
  }

  #unexpected(expected: string): Error {
    const { kind, text, at } = this.#next;
    return calculationError(`expected ${expected} at character ${at + 1}, got ${kind === "end" ? "the end" : JSON.stringify(text)}`);
  }

  /** @throws ConfigError kind `limit` */
  #deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_EXPRESSION_DEPTH) throw calculationLimit(`the expression is nested more than ${MAX_EXPRESSION_DEPTH} deep`);
    const result = read();
    this.#depth--;
    return result;
  }

  #value(): Node {
    return this.#deeper(() => {
      const of = this.#sum();
      if (!this.#take(["to", "in"])) return of;
      const from = this.#next.at;
      const unit = this.#product();
      return { kind: "convert", of, unit, unitText: this.#text.slice(from, this.#next.at).trim() };
    });
  }

  #sum(): Node {
    return this.#leftToRight(["+", "-"], () => this.#leftToRight(["±"], () => this.#product()));
  }

  #leftToRight(operators: readonly Operator[], operand: () => Node): Node {
    let left = operand();
    for (let operator = this.#take(operators); operator; operator = this.#take(operators))
      left = { kind: "binary", operator: operator as Operator, left, right: operand() };
    return left;
  }

  #product(): Node {
    let left = this.#unary();
    for (let sign = this.#take(["*", "/", "mod", "%"]); sign; sign = this.#take(["*", "/", "mod", "%"])) {
      const { at } = this.#next;
      const right = this.#unary();
      // `1/2 m` is half a metre to some, and a half per metre to others.
      if (sign === "/" && left.kind === "number" && right.kind === "binary" && right.implicit && right.left.kind === "number")
        throw calculationError(
          `${JSON.stringify(this.#text)} can be read in two ways at character ${at + 1}`,
          "write (1/2) m or 1/(2 m), with brackets",
        );
      left = { kind: "binary", operator: sign === "%" ? "mod" : (sign as Operator), left, right };
    }
    return left;
  }

  #unary(): Node {
    return this.#deeper(() => {
      const sign = this.#take(["-", "+"]);
      if (sign === "-") return { kind: "negate", of: this.#unary() };
      return sign ? this.#unary() : this.#implicit();
    });
  }

  /** `5 kg`, `2 pi`, which hold together more closely than products with a sign. */
  #implicit(): Node {
    let left = this.#power();
    while (this.#next.kind === "name" && !RESERVED.includes(this.#next.text))
      left = { kind: "binary", operator: "*", left, right: this.#power(), implicit: true };
    return left;
  }

  #power(): Node {
    const base = this.#postfix();
    return this.#take(["^"]) ? { kind: "binary", operator: "^", left: base, right: this.#exponent() } : base;
  }

  /** `2^-1`, and `2^3^2` from the right; `m^2 s` ends before the unit. */
  #exponent(): Node {
    return this.#deeper(() => (this.#take(["-"]) ? { kind: "negate", of: this.#exponent() } : this.#power()));
  }

  #postfix(): Node {
    let of = this.#primary();
    // Of 3! and so on, the third has more digits than there is room for.
    for (let i = 0; this.#take(["!"]); i++) {
      if (i === MAX_EXPRESSION_DEPTH) throw calculationLimit("too many factorials of factorials");
      of = { kind: "factorial", of };
    }
    return of;
  }

  #primary(): Node {
    const { kind, text } = this.#next;
    if (kind === "number") {
      this.#place++;
      return { kind: "number", text };
    }
    if (this.#take(["("])) {
      const inner = this.#value();
      this.#expect(")");
      return inner;
    }
    if (this.#take(["["])) {
      const lo = this.#value();
      this.#expect(",");
      const hi = this.#value();
      this.#expect("]");
      return { kind: "interval", lo, hi };
    }
    if (kind !== "name" || RESERVED.includes(text)) throw this.#unexpected("a value");
    this.#place++;
    if (!this.#take(["("])) return { kind: "name", name: text };
    const args = [this.#value()];
    while (this.#take([","])) args.push(this.#value());
    this.#expect(")");
    return { kind: "call", name: text, args };
  }
}
