import { Field } from "../json/fields.js";
import { jsonValue, type PlainJson } from "../json/plain.js";
import { Bpe } from "../models/bpe.js";
import type { Model } from "../models/model.js";
import { Unigram } from "../models/unigram.js";
import { Vocabulary } from "../models/vocabulary.js";
import { WordLevel } from "../models/word-level.js";
import { WordPiece } from "../models/word-piece.js";
import { MAX_TOKENS } from "../limits.js";
import { optionError } from "../tokenizer-error.js";
import { Tokenizer } from "../tokenizer.js";
import { learnMerges } from "./learn-merges.js";
import { learnUnigram } from "./learn-unigram.js";
import type {
  TrainBpeOptions,
  TrainOptions,
  TrainUnigramOptions,
  TrainWordLevelOptions,
  TrainWordPieceOptions,
  WordCounts,
} from "./options.js";

/** Learns a model from the words of texts. */
type Train<O extends TrainOptions> = (words: WordCounts, options: O) => Model;

const bpe: Train<TrainBpeOptions> = (words, options) => {
  const { vocabSize, specialTokens = [], unkToken, continuingSubwordPrefix, endOfWordSuffix } = options;
  const { tokens, merges } = learnMerges(words, vocabSize, specialTokens, options);
  return new Bpe({ vocab: Vocabulary.of(tokens), merges, unkToken, continuingSubwordPrefix, endOfWordSuffix });
};

const wordPiece: Train<TrainWordPieceOptions> = (words, options) => {
  const { vocabSize, specialTokens = [], unkToken = "[UNK]", continuingSubwordPrefix = "##" } = options;
  const { tokens } = learnMerges(words, vocabSize, specialTokens, { ...options, continuingSubwordPrefix });
  return new WordPiece({ vocab: Vocabulary.of(tokens), unkToken, continuingSubwordPrefix });
};

const wordLevel: Train<TrainWordLevelOptions> = (words, { vocabSize, specialTokens = [], unkToken = "<unk>", minFrequency = 0 }) => {
  const frequent = [...words]
    .filter(([, count]) => count >= minFrequency)
    .toSorted(([a, m], [b, n]) => n - m || (a < b ? -1 : 1))
    .map(([word]) => word);
  return new WordLevel(
    Vocabulary.of([...new Set([...specialTokens, ...frequent])].slice(0, Math.max(vocabSize, specialTokens.length))),
    unkToken,
  );
};

const unigram: Train<TrainUnigramOptions> = (words, options) => {
  const { vocabSize, specialTokens = [], unkToken } = options;
  const special = unkToken === undefined || specialTokens.includes(unkToken) ? specialTokens : [unkToken, ...specialTokens];
  const pieces = learnUnigram(words, vocabSize - special.length, options);
  return new Unigram({
    pieces: [...special.map((token) => [token, 0] as const), ...pieces],
    unkId: unkToken === undefined ? undefined : special.indexOf(unkToken),
  });
};

function learn(words: WordCounts, options: TrainOptions): Model {
  switch (options.model) {
    case "BPE":
      return bpe(words, options);
    case "WordPiece":
      return wordPiece(words, options);
    case "WordLevel":
      return wordLevel(words, options);
    case "Unigram":
      return unigram(words, options);
    default:
      throw optionError(
        `model is ${JSON.stringify((options as TrainOptions).model)}, expected "BPE", "WordPiece", "WordLevel" or "Unigram"`,
      );
  }
}

/**
 * Learns a tokenizer from texts, held in memory. The same texts and options give the same tokenizer, and for BPE the one that the Python library gives.
 * @throws ConfigError kind `tokenizer-option`; FormatError kind `tokenizer-schema` for a component that is none
 */
export function train(texts: Iterable<string>, options: TrainOptions): Tokenizer {
  const { vocabSize, specialTokens = [], normalizer = null, preTokenizer = null, postProcessor = null, decoder = null } = options;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < 1 || vocabSize > MAX_TOKENS)
    throw optionError(`vocabSize is ${vocabSize}, expected 1 to ${MAX_TOKENS}`);
  const parts = { normalizer, pre_tokenizer: preTokenizer, decoder };
  const untrained = new Tokenizer(new WordLevel(Vocabulary.of([])), new Field(jsonValue(parts), "$"));
  const words = new Map<string, number>();
  for (const text of texts) for (const { word } of untrained.preTokenize(text)) words.set(word, (words.get(word) ?? 0) + 1);
  const model = learn(words, options);
  const added: PlainJson = specialTokens.map((content) => ({
    id: model.idOf(content)!,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  return new Tokenizer(model, new Field(jsonValue({ ...parts, post_processor: postProcessor, added_tokens: added }), "$"));
}
