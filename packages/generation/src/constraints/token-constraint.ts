import type { Tokenizer } from "@weft/tokenizers";
import { addBit, type Bitset, emptyBitset } from "../bitset.js";
import { optionError } from "../option-error.js";
import { Automaton, type Configuration, type Stack } from "./automaton.js";
import type { Constraint, ConstraintState } from "./constraint.js";
import { constraintError } from "./constraint-error.js";
import type { Grammar, Rule } from "./grammar.js";
import { vocabularyTrie, type VocabularyTrie } from "./vocabulary-trie.js";

/** What constraints of every kind take. */
export interface ConstraintOptions {
  /** Tokens that end a text; they are allowed where it may end. Without them, `accepting` and `done` say it. */
  readonly eosTokenId?: number | readonly number[] | undefined;
}

/** What the innermost call of a configuration allows, whatever it was called from. */
interface Local {
  readonly allowed: Bitset;
  /** Nodes of the trie at which the call is through, and what lies behind it goes on. */
  readonly exits: readonly number[];
}

/**
 * The automaton over tokens that one over bytes becomes by walking through the vocabulary. A token may reach over several parts of the grammar. What a state
 * allows is found when it is asked for, and remembered: within a call it is the same wherever it was called from, so that the walk through the whole vocabulary is done
 * once, and only tokens that leave the call are looked at again.
 * @see Willard and Louf, "Efficient Guided Generation for Large Language Models" (2023); Dong et al., "XGrammar" (2024)
 */
export class TokenConstraint implements Constraint {
  readonly #trie: VocabularyTrie;
  readonly #automaton: Automaton;
  readonly #start: Configuration;
  readonly #ends: readonly number[];
  readonly #locals = new WeakMap<Configuration, Local>();
  readonly #allowed = new WeakMap<Configuration, Bitset>();

  /**
   * @param root the rule that a whole text is
   * @throws CapabilityError kind `no-token-bytes`; ConfigError kinds `constraint-schema`, `generation-option`
   */
  constructor(grammar: Grammar, root: Rule, tokenizer: Tokenizer, { eosTokenId = [] }: ConstraintOptions = {}) {
    this.#trie = vocabularyTrie(tokenizer);
    this.#ends = typeof eosTokenId === "number" ? [eosTokenId] : eosTokenId;
    for (const id of this.#ends)
      if (!Number.isSafeInteger(id) || id < 0 || id >= this.#trie.size)
        throw optionError("eosTokenId", id, `an id from 0 to ${this.#trie.size - 1}`);
    if (grammar.leftRecursive()) throw constraintError("constraint-schema", "a part of the schema is defined by nothing but itself ($ref)");
    this.#automaton = new Automaton(grammar);
    const start = this.#automaton.at(root.start);
    if (!start) throw constraintError("constraint-schema", "no text satisfies this constraint");
    this.#start = start;
  }

  start(): ConstraintState {
    return this.#state(this.#start);
  }

  #state(at: Configuration): ConstraintState {
    return {
      allowed: () => this.#allowedAt(at),
      advance: (token) => this.#advance(at, token),
      accepting: at.accepting,
      done: at.accepting && at.threads.length === 0,
    };
  }

  #advance(at: Configuration, token: number): ConstraintState {
    if (at.accepting && this.#ends.includes(token)) return this.#ended();
    const bytes = this.#trie.bytes[token];
    let next: Configuration | null = bytes ? at : null;
    for (let i = 0; next && i < bytes!.length; i++) next = this.#automaton.step(next, bytes![i]!);
    if (!next) throw constraintError("token-not-allowed", `token ${token} is not among those that the constraint allows here`);
    return this.#state(next);
  }

  #ended(): ConstraintState {
    const allowed = emptyBitset(this.#trie.size);
    for (const id of this.#ends) addBit(allowed, id);
    const ended: ConstraintState = {
      allowed: () => allowed,
      advance(token) {
        throw constraintError("token-not-allowed", `token ${token} comes behind the end of the text`);
      },
      accepting: true,
      done: true,
    };
    return ended;
  }

  #allowedAt(at: Configuration): Bitset {
    let allowed = this.#allowed.get(at);
    if (allowed) return allowed;
    allowed = emptyBitset(this.#trie.size);
    const calls = new Map<Stack | undefined, number[]>();
    for (const { node, stack } of at.threads) {
      const nodes = calls.get(stack);
      if (nodes) nodes.push(node);
      else calls.set(stack, [node]);
    }
    for (const [stack, nodes] of calls) {
      const local = this.#localAt(this.#automaton.local(nodes));
      for (let word = 0; word < allowed.length; word++) allowed[word]! |= local.allowed[word]!;
      const behind = stack && this.#automaton.at(stack.back, stack.parent);
      if (behind) for (const node of local.exits) this.#walk(node, behind, allowed);
    }
    if (at.accepting) for (const id of this.#ends) addBit(allowed, id);
    this.#allowed.set(at, allowed);
    return allowed;
  }

  #localAt(at: Configuration): Local {
    let local = this.#locals.get(at);
    if (local) return local;
    const exits: number[] = [];
    local = { allowed: emptyBitset(this.#trie.size), exits };
    this.#walk(0, at, local.allowed, exits);
    this.#locals.set(at, local);
    return local;
  }

  /** Marks the tokens below a node of the trie that go on from a configuration. */
  #walk(node: number, at: Configuration, allowed: Bitset, exits?: number[]): void {
    const { byte, child, sibling, token, same } = this.#trie;
    for (let next = child[node]!; next !== 0; next = sibling[next]!) {
      const reached = this.#automaton.step(at, byte[next]!);
      if (!reached) continue;
      for (let id = token[next]!; id >= 0; id = same[id]!) addBit(allowed, id);
      if (reached.accepting) exits?.push(next);
      if (reached.threads.length > 0 && child[next] !== 0) this.#walk(next, reached, allowed, exits);
    }
  }
}
