export type { AddedToken } from "./added/added-token.js";
export type { DecodeStream } from "./decode-stream.js";
export type { Encoding, Offsets } from "./encoding/encoding.js";
export type { Padding } from "./encoding/padding.js";
export type { Truncation } from "./encoding/truncation.js";
export type { PlainJson } from "./json/plain.js";
export { loadRegexEngine } from "./regex/engine.js";
export { tokenizerFromGguf } from "./gguf/from-gguf.js";
export type { GgufMetadataLike } from "./gguf/metadata.js";
export { mergesOfScores } from "./gguf/merges-of-scores.js";
export { ggufSplitterOf } from "./gguf/pre-tokenizers.js";
export { BYTE_CHARS as BYTE_LEVEL_ALPHABET } from "./text/byte-level.js";
export { tokenizerFromRwkv } from "./rwkv/from-rwkv.js";
export { Tokenizer } from "./tokenizer.js";
export type { DecodeOptions, EncodeOneOptions, EncodeOptions, OffsetUnit, TextInput } from "./tokenizer-options.js";
export type {
  TrainBpeOptions,
  TrainOptions,
  TrainUnigramOptions,
  TrainWordLevelOptions,
  TrainWordPieceOptions,
} from "./training/options.js";
export { train } from "./training/train.js";
