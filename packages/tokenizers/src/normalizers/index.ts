import { componentReader, type Reader } from "../json/read-component.js";
import { BERT } from "./bert.js";
import { BYTE_LEVEL } from "./byte-level.js";
import { LOWERCASE } from "./lowercase.js";
import { NMT } from "./nmt.js";
import type { Normalizer } from "./normalizer.js";
import { PRECOMPILED } from "./precompiled.js";
import { PREPEND } from "./prepend.js";
import { REPLACE } from "./replace.js";
import { SEQUENCE } from "./sequence.js";
import { STRIP_ACCENTS } from "./strip-accents.js";
import { STRIP } from "./strip.js";
import { UNICODE_FORMS } from "./unicode.js";

/** Reads a normalizer, the `normalizer` of a file. */
export const readNormalizer: Reader<Normalizer> = componentReader("normalizer", [
  BERT,
  ...UNICODE_FORMS,
  LOWERCASE,
  STRIP,
  STRIP_ACCENTS,
  NMT,
  PREPEND,
  REPLACE,
  PRECOMPILED,
  BYTE_LEVEL,
  SEQUENCE,
]);
