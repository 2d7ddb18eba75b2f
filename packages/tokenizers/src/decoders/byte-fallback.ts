import type { DecoderKind } from "./decoder.js";

// One strict, and none that takes a byte order mark for anything but a character.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: readonly number[]): string[] {
  try {
    return [decoder.decode(Uint8Array.from(bytes))];
  } catch {
    return bytes.map(() => "\ufffd");
  }
}

/** Runs of bytes, as `<0xE2>`, become the text that they are the UTF-8 of, or a U+FFFD each. */
export const BYTE_FALLBACK: DecoderKind = {
  type: "ByteFallback",
  read: () => (tokens) => {
    const out: string[] = [];
    let bytes: number[] = [];
    const flush = (): void => {
      if (bytes.length > 0) out.push(...textOf(bytes));
      bytes = [];
    };
    for (const token of tokens) {
      const byte = /^<0x([\da-fA-F]{2})>$/.exec(token);
      if (byte) bytes.push(parseInt(byte[1]!, 16));
      else {
        flush();
        out.push(token);
      }
    }
    flush();
    return out;
  },
};
