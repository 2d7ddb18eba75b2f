import type { PlainJson } from "../json/plain.js";

/** What a tokenizer is trained with. Components are written as in a `tokenizer.json`. */
interface TrainCommon {
  /** Tokens in all, those included that are special. */
  readonly vocabSize: number;
  /** First in the vocabulary, in this order. */
  readonly specialTokens?: readonly string[];
  readonly normalizer?: PlainJson;
  readonly preTokenizer?: PlainJson;
  readonly postProcessor?: PlainJson;
  readonly decoder?: PlainJson;
  /** The token of what the vocabulary does not have. */
  readonly unkToken?: string;
}

/** Of BPE and WordPiece, which learn merges. */
export interface MergeTraining {
  /** Pairs that occur less often are not merged; 0 if not given. */
  readonly minFrequency?: number;
  /** Most characters that words are made of; the rarest of others are left out. */
  readonly limitAlphabet?: number;
  /** Characters that the vocabulary has in any case. */
  readonly initialAlphabet?: readonly string[];
  /** What begins tokens that continue a word; `##` of WordPiece, nothing of BPE if not given. */
  readonly continuingSubwordPrefix?: string;
  /** What ends the last token of a word. */
  readonly endOfWordSuffix?: string;
  /** Merges whose token would have this many characters, or more, are not made. */
  readonly maxTokenLength?: number;
}

/** Training of BPE. */
export interface TrainBpeOptions extends TrainCommon, MergeTraining {
  readonly model: "BPE";
}

/** Training of WordPiece, which keeps the tokens of BPE's merges. */
export interface TrainWordPieceOptions extends TrainCommon, MergeTraining {
  readonly model: "WordPiece";
}

/** Training of WordLevel: the most frequent words. */
export interface TrainWordLevelOptions extends TrainCommon {
  readonly model: "WordLevel";
  /** Words that occur less often are left out; 0 if not given. */
  readonly minFrequency?: number;
}

/** Training of Unigram. */
export interface TrainUnigramOptions extends TrainCommon {
  readonly model: "Unigram";
  readonly initialAlphabet?: readonly string[];
  /** Which share of the tokens each round of pruning keeps; 0.75 if not given. */
  readonly shrinkingFactor?: number;
  /** Steps of expectation maximization between two prunings; 2 if not given. */
  readonly subIterations?: number;
  /** Longest token, in characters; 16 if not given. */
  readonly maxPieceLength?: number;
  /** Most tokens to begin with; 1,000,000 if not given. */
  readonly seedSize?: number;
}

/** What `train` learns, and how. */
export type TrainOptions = TrainBpeOptions | TrainWordPieceOptions | TrainWordLevelOptions | TrainUnigramOptions;

/** How often each word occurs. */
export type WordCounts = ReadonlyMap<string, number>;
