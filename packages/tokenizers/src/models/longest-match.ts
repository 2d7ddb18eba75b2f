import { unknownToken } from "../tokenizer-error.js";
import type { Model, Token } from "./model.js";
import { Trie } from "./trie.js";
import type { Vocabulary } from "./vocabulary.js";
import { VocabularyModel } from "./vocabulary-model.js";

/** RWKV's World model: always the longest token that begins what is left. */
export class LongestMatch extends VocabularyModel implements Model {
  readonly #trie: Trie;

  constructor(vocab: Vocabulary) {
    super(vocab);
    this.#trie = new Trie(vocab.ids);
  }

  tokenize(word: string): Token[] {
    const tokens: Token[] = [];
    for (let start = 0; start < word.length;) {
      let [end, id] = [start, -1];
      this.#trie.prefixes(word, start, (to, value) => {
        end = to;
        id = value;
      });
      if (id < 0) throw unknownToken(word.slice(start, start + 1), "nothing stands for what is unknown");
      tokens.push({ id, value: word.slice(start, end), start, end });
      start = end;
    }
    return tokens;
  }

  toJson(): undefined {
    return undefined;
  }
}
