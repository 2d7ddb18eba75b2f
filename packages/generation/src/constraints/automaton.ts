import { constraintError } from "./constraint-error.js";
import type { Grammar } from "./grammar.js";
import { MAX_PLACES, MAX_REMEMBERED_STATES } from "./limits.js";

/** Where calls go back to, the innermost first. Equal ones are one object. */
export interface Stack {
  readonly id: number;
  readonly back: number;
  readonly parent: Stack | undefined;
}

interface Thread {
  readonly node: number;
  readonly stack: Stack | undefined;
}

/** Everywhere that an automaton may be after some bytes. */
export interface Configuration {
  /** Those that take further bytes. */
  readonly threads: readonly Thread[];
  /** Whether the bytes so far are a whole text. */
  readonly accepting: boolean;
  /** By byte: undefined if it has not been asked for, null if no text goes on so. */
  readonly next: (Configuration | null | undefined)[];
}

/** Runs a grammar, making its states when they are needed. */
export class Automaton {
  readonly #grammar: Grammar;
  readonly #productive: Uint8Array;
  readonly #stacks = new Map<string, Stack>();
  readonly #configurations = new Map<string, Configuration>();
  #stackIds = 0;

  constructor(grammar: Grammar) {
    this.#grammar = grammar;
    this.#productive = grammar.productive();
  }

  /** Where a node leads to without any byte; null if nowhere. */
  at(node: number, stack?: Stack): Configuration | null {
    return this.#closure([{ node, stack }]);
  }

  /** The same places without what lies outside of the innermost call. */
  local(nodes: readonly number[]): Configuration {
    return this.#closure(nodes.map((node) => ({ node, stack: undefined })))!;
  }

  step(from: Configuration, byte: number): Configuration | null {
    const known = from.next[byte];
    if (known !== undefined) return known;
    const reached: Thread[] = [];
    for (const { node, stack } of from.threads) {
      const edges = this.#grammar.edges[node]!;
      for (let i = 0; i < edges.length; i += 3)
        if (byte >= edges[i]! && byte <= edges[i + 1]!) reached.push({ node: edges[i + 2]!, stack });
    }
    return (from.next[byte] = reached.length === 0 ? null : this.#closure(reached));
  }

  #push(back: number, parent: Stack | undefined): Stack {
    const key = `${back} ${parent?.id ?? ""}`;
    let stack = this.#stacks.get(key);
    if (!stack) {
      if (this.#stacks.size >= MAX_REMEMBERED_STATES) this.#stacks.clear();
      stack = { id: this.#stackIds++, back, parent };
      this.#stacks.set(key, stack);
    }
    return stack;
  }

  #closure(threads: readonly Thread[]): Configuration | null {
    const found = new Map<string, Thread>();
    const queue: Thread[] = [];
    let accepting = false;
    const reach = (node: number, stack: Stack | undefined): void => {
      if (this.#productive[node] === 0) return;
      const key = `${node} ${stack?.id ?? ""}`;
      if (found.has(key)) return;
      if (found.size >= MAX_PLACES)
        throw constraintError(
          "limit",
          `a text may be at more than ${MAX_PLACES} places of the automaton at once`,
          "write the pattern with fewer optional parts behind each other",
        );
      const thread = { node, stack };
      found.set(key, thread);
      queue.push(thread);
    };
    for (const { node, stack } of threads) reach(node, stack);
    for (let thread = queue.pop(); thread; thread = queue.pop()) {
      const { node, stack } = thread;
      for (const to of this.#grammar.empty[node]!) reach(to, stack);
      for (const { rule, back } of this.#grammar.calls[node]!) if (this.#productive[back] === 1) reach(rule.start, this.#push(back, stack));
      if (!this.#grammar.finals.has(node)) continue;
      if (stack) reach(stack.back, stack.parent);
      else accepting = true;
    }
    const keys = [...found].filter(([, { node }]) => this.#grammar.edges[node]!.length > 0);
    if (keys.length === 0 && !accepting) return null;
    const key = `${accepting ? "!" : ""}${keys
      .map(([name]) => name)
      .sort()
      .join(",")}`;
    let configuration = this.#configurations.get(key);
    if (!configuration) {
      if (this.#configurations.size >= MAX_REMEMBERED_STATES) this.#configurations.clear();
      configuration = { threads: keys.map(([, thread]) => thread), accepting, next: [] };
      this.#configurations.set(key, configuration);
    }
    return configuration;
  }
}
