import { fromByteChars } from "../text/byte-level.js";
import type { DecoderKind } from "./decoder.js";

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** GPT-2's characters are bytes again; tokens with others are themselves. What is no UTF-8 becomes U+FFFD. */
export const BYTE_LEVEL: DecoderKind = {
  type: "ByteLevel",
  read: () => (tokens) => {
    const bytes: number[] = [];
    for (const token of tokens) for (const byte of fromByteChars(token) ?? encoder.encode(token)) bytes.push(byte);
    return [decoder.decode(Uint8Array.from(bytes))];
  },
};
