import { componentReader, type Reader } from "../json/read-component.js";
import { BPE } from "./bpe.js";
import { BYTE_FALLBACK } from "./byte-fallback.js";
import { BYTE_LEVEL } from "./byte-level.js";
import { CTC } from "./ctc.js";
import type { Decoder } from "./decoder.js";
import { FUSE } from "./fuse.js";
import { METASPACE } from "./metaspace.js";
import { REPLACE } from "./replace.js";
import { SEQUENCE } from "./sequence.js";
import { STRIP } from "./strip.js";
import { WORD_PIECE } from "./word-piece.js";

/** Reads a decoder, the `decoder` of a file. */
export const readDecoder: Reader<Decoder> = componentReader("decoder", [
  BPE,
  BYTE_FALLBACK,
  BYTE_LEVEL,
  CTC,
  FUSE,
  METASPACE,
  REPLACE,
  SEQUENCE,
  STRIP,
  WORD_PIECE,
]);
