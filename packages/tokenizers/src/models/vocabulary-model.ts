import type { Model } from "./model.js";
import type { Vocabulary } from "./vocabulary.js";

/** What every model has whose tokens are those of a vocabulary. */
export abstract class VocabularyModel implements Omit<Model, "tokenize" | "toJson"> {
  protected readonly vocab: Vocabulary;

  constructor(vocab: Vocabulary) {
    this.vocab = vocab;
  }

  get size(): number {
    return this.vocab.ids.size;
  }

  idOf(token: string): number | undefined {
    return this.vocab.idOf(token);
  }

  tokenOf(id: number): string | undefined {
    return this.vocab.tokenOf(id);
  }

  entries(): Iterable<readonly [string, number]> {
    return this.vocab.ids;
  }
}
