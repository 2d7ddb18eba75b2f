import { inByteChars } from "../text/byte-level.js";
import type { NormalizerKind } from "./normalizer.js";

/** Bytes as GPT-2's characters, before the text is split. */
export const BYTE_LEVEL: NormalizerKind = { type: "ByteLevel", read: () => inByteChars };
