import type { Tokenizer } from "@weft/tokenizers";
import { constraintError } from "./constraint-error.js";
import { MAX_TOKEN_BYTES } from "./limits.js";

/** The tokens of a vocabulary by their bytes. */
export interface VocabularyTrie {
  /** One more than the largest id. */
  readonly size: number;
  /** Of each token; undefined of those that are no text. */
  readonly bytes: readonly (Uint8Array | undefined)[];
  /** Per node, the root being 0: its byte, its first child, the next child of its parent; 0 of none. */
  readonly byte: Uint8Array;
  readonly child: Int32Array;
  readonly sibling: Int32Array;
  /** Per node: the first token that ends there, −1 of none; per token: the next that has the same bytes. */
  readonly token: Int32Array;
  readonly same: Int32Array;
}

const tries = new WeakMap<Tokenizer, VocabularyTrie>();

/** The trie of a tokenizer, made once. @throws CapabilityError kind `no-token-bytes` */
export function vocabularyTrie(tokenizer: Tokenizer): VocabularyTrie {
  let trie = tries.get(tokenizer);
  if (!trie) tries.set(tokenizer, (trie = build(tokenizer)));
  return trie;
}

function build(tokenizer: Tokenizer): VocabularyTrie {
  const ids = [...tokenizer.vocabulary.values()];
  const size = ids.reduce((most, id) => Math.max(most, id + 1), 0);
  if (size > 4 * ids.length + 1024) throw constraintError("limit", `ids go up to ${size - 1}, and there are only ${ids.length} tokens`);
  const bytes = new Array<Uint8Array | undefined>(size);
  const usable: number[] = [];
  for (const id of new Set(ids)) {
    const own = tokenizer.tokenBytes(id);
    if (!own || own.length === 0 || own.length > MAX_TOKEN_BYTES) continue;
    bytes[id] = own;
    usable.push(id);
  }
  // In the order of their bytes, tokens that begin alike are neighbours: every child is the last of its parent when it is made.
  usable.sort((a, b) => compare(bytes[a]!, bytes[b]!) || b - a);
  const nodes = 1 + usable.reduce((sum, id) => sum + bytes[id]!.length, 0);
  const [byte, child, sibling] = [new Uint8Array(nodes), new Int32Array(nodes), new Int32Array(nodes)];
  const [token, same] = [new Int32Array(nodes).fill(-1), new Int32Array(size).fill(-1)];
  let count = 1;
  let path: number[] = [0];
  let last: Uint8Array = new Uint8Array();
  for (const id of usable) {
    const own = bytes[id]!;
    let shared = 0;
    while (shared < last.length && last[shared] === own[shared]) shared++;
    const before = path[shared + 1];
    path = path.slice(0, shared + 1);
    for (let i = shared; i < own.length; i++) {
      const node = count++;
      byte[node] = own[i]!;
      if (i === shared && before !== undefined) sibling[before] = node;
      else child[path[i]!] = node;
      path.push(node);
    }
    const end = path.at(-1)!;
    same[id] = token[end]!;
    token[end] = id;
    last = own;
  }
  return { size, bytes, byte, child, sibling, token, same };
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
