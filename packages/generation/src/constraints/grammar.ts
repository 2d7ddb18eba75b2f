import { constraintError } from "./constraint-error.js";
import { MAX_GRAMMAR_NODES } from "./limits.js";

/** A rule of a grammar: a part that may stand in several places, in itself too. */
export interface Rule {
  readonly start: number;
}

/**
 * Nondeterministic automata over bytes that call each other, one per rule: a regular expression has one, a recursive schema several. A node has edges of bytes, empty
 * edges, and calls, which go on at `back` once the called rule is through.
 */
export class Grammar {
  /** Per node: first byte, last byte, node behind, and so on. */
  readonly edges: number[][] = [];
  readonly empty: number[][] = [];
  readonly calls: { readonly rule: Rule; readonly back: number }[][] = [];
  /** Nodes at which a rule is through. */
  readonly finals: Set<number> = new Set();

  /** @throws ConfigError kind `limit` */
  node(): number {
    if (this.edges.length >= MAX_GRAMMAR_NODES)
      throw constraintError(
        "limit",
        `the automaton has more than ${MAX_GRAMMAR_NODES} nodes`,
        "lower the counts of repeats, maxLength or maxItems",
      );
    this.empty.push([]);
    this.calls.push([]);
    return this.edges.push([]) - 1;
  }

  /** Makes a rule, which may be called before it is filled. */
  declare(): Rule {
    return { start: this.node() };
  }

  fill({ start }: Rule, part: Part): void {
    this.finals.add(part(this, start));
  }

  /** Per node, whether its rule can come to an end from there. */
  productive(): Uint8Array {
    const count = this.edges.length;
    const waiting: number[][] = Array.from({ length: count }, () => []);
    for (let node = 0; node < count; node++) {
      for (let i = 2; i < this.edges[node]!.length; i += 3) waiting[this.edges[node]![i]!]!.push(node);
      for (const to of this.empty[node]!) waiting[to]!.push(node);
      for (const { rule, back } of this.calls[node]!) {
        waiting[rule.start]!.push(node);
        waiting[back]!.push(node);
      }
    }
    const known = new Uint8Array(count);
    const queue = [...this.finals];
    for (const node of queue) known[node] = 1;
    for (let node = queue.pop(); node !== undefined; node = queue.pop())
      for (const from of waiting[node]!) {
        if (known[from] === 1 || !this.#reaches(from, known)) continue;
        known[from] = 1;
        queue.push(from);
      }
    return known;
  }

  #reaches(node: number, known: Uint8Array): boolean {
    for (let i = 2; i < this.edges[node]!.length; i += 3) if (known[this.edges[node]![i]!] === 1) return true;
    return (
      this.empty[node]!.some((to) => known[to] === 1) ||
      this.calls[node]!.some(({ rule, back }) => known[rule.start] === 1 && known[back] === 1)
    );
  }

  /** Whether a rule calls itself before anything else, so that it would never come to a byte. No rule is empty. */
  leftRecursive(): boolean {
    const leading = new Map<number, Set<number>>();
    const queue = [...new Set(this.calls.flat().map(({ rule }) => rule.start))];
    for (const start of queue) leading.set(start, this.#leading(start));
    // What leads to no rule is taken away, until only circles are left.
    for (let size = -1; size !== leading.size;) {
      size = leading.size;
      for (const [start, others] of leading) if ([...others].every((other) => !leading.has(other))) leading.delete(start);
    }
    return leading.size > 0;
  }

  /** The rules that a rule may call first. */
  #leading(start: number): Set<number> {
    const seen = new Set([start]);
    const rules = new Set<number>();
    for (const node of seen) {
      for (const to of this.empty[node]!) seen.add(to);
      for (const { rule } of this.calls[node]!) rules.add(rule.start);
    }
    return rules;
  }
}

/** Adds a part behind a node. @returns the node behind the part */
export type Part = (grammar: Grammar, from: number) => number;

/** Nothing at all. */
export const EMPTY: Part = (_, from) => from;
/** What no text is. */
export const NEVER: Part = (grammar) => grammar.node();

/** A byte from one to another. */
export const byteRange =
  (low: number, high: number): Part =>
  (grammar, from) => {
    const to = grammar.node();
    grammar.edges[from]!.push(low, high, to);
    return to;
  };

/** One part after the other. */
export const sequence =
  (...parts: readonly Part[]): Part =>
  (grammar, from) =>
    parts.reduce((at, part) => part(grammar, at), from);

/** Any of several parts. */
export const choice = (...parts: readonly Part[]): Part =>
  parts.length === 1
    ? parts[0]!
    : (grammar, from) => {
        const to = grammar.node();
        for (const part of parts) {
          const start = grammar.node();
          grammar.empty[from]!.push(start);
          grammar.empty[part(grammar, start)]!.push(to);
        }
        return to;
      };

export const optional = (part: Part): Part => choice(part, EMPTY);

/** A part at least `min` and at most `max` times. */
export const repeat =
  (part: Part, min: number, max: number): Part =>
  (grammar, from) => {
    let at = from;
    for (let i = 0; i < min; i++) at = part(grammar, at);
    const to = grammar.node();
    if (max === Infinity) {
      const loop = grammar.node();
      grammar.empty[at]!.push(loop);
      grammar.empty[part(grammar, loop)]!.push(loop);
      grammar.empty[loop]!.push(to);
      return to;
    }
    for (let i = min; i < max; i++) {
      grammar.empty[at]!.push(to);
      const start = grammar.node();
      grammar.empty[at]!.push(start);
      at = part(grammar, start);
    }
    grammar.empty[at]!.push(to);
    return to;
  };

const encoder = new TextEncoder();

/** A text, in UTF-8. */
export const literal = (text: string): Part => sequence(...Array.from(encoder.encode(text), (byte) => byteRange(byte, byte)));

/** What a rule is. */
export const call =
  (rule: Rule): Part =>
  (grammar, from) => {
    const back = grammar.node();
    grammar.calls[from]!.push({ rule, back });
    return back;
  };
