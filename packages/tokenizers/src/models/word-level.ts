import type { ComponentKind } from "../json/read-component.js";
import type { PlainJson } from "../json/plain.js";
import { unknownToken } from "../tokenizer-error.js";
import type { Model, Token } from "./model.js";
import { Vocabulary } from "./vocabulary.js";
import { VocabularyModel } from "./vocabulary-model.js";

/** Words as they are: in the vocabulary, or unknown. */
export class WordLevel extends VocabularyModel implements Model {
  readonly #unk: string;

  constructor(vocab: Vocabulary, unkToken = "<unk>") {
    super(vocab);
    this.#unk = unkToken;
  }

  tokenize(word: string): Token[] {
    const known = this.vocab.idOf(word);
    const id = known ?? this.vocab.idOf(this.#unk);
    if (id === undefined) throw unknownToken(word, `neither is the unknown token ${JSON.stringify(this.#unk)}`);
    return [{ id, value: known === undefined ? this.#unk : word, start: 0, end: word.length }];
  }

  toJson(): PlainJson {
    return { type: "WordLevel", vocab: this.vocab.toJson(), unk_token: this.#unk };
  }
}

export const WORD_LEVEL: ComponentKind<Model> = {
  type: "WordLevel",
  read: (field) => new WordLevel(Vocabulary.read(field.at("vocab")), field.at("unk_token").string("<unk>")),
};
