/** Replacements of a SentencePiece model: a trie in Darts' double array over UTF-8, and the texts that its values point at. */
export interface Charsmap {
  /** What a text is replaced by, of the shortest of its beginnings that has a replacement; undefined if none has. */
  replacement(text: string): string | undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/**
 * Reads `precompiled_charsmap`: the trie's size in bytes (u32), its units (u32), and texts that end in NUL; little-endian.
 * @returns undefined if the sizes do not fit
 * @see sentencepiece `normalizer.cc` DecodePrecompiledCharsMap
 */
export function readCharsmap(bytes: Uint8Array): Charsmap | undefined {
  if (bytes.length < 4) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = view.getUint32(0, true);
  if (size % 4 !== 0 || size > bytes.length - 4) return undefined;
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + size);
  const known = new Map<string, string | undefined>();

  const lookUp = (text: string): string | undefined => {
    let at = 0;
    let unit = units[0] ?? 0;
    const offset = (one: number): number => (one >>> 10) << ((one & 512) >>> 6);
    at ^= offset(unit);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) break;
      at ^= byte;
      if (at >= units.length) return undefined;
      unit = units[at]!;
      // The label of a unit, which a leaf does not have, is compared with its highest bit.
      if ((unit & 0x800000ff) >>> 0 !== byte) return undefined;
      at ^= offset(unit);
      if ((unit & 256) !== 0) {
        if (at >= units.length) return undefined;
        const begin = units[at]! & 0x7fffffff;
        const end = texts.indexOf(0, begin);
        return begin > texts.length || end < 0 ? undefined : decoder.decode(texts.subarray(begin, end));
      }
    }
    return undefined;
  };
  return {
    replacement(text) {
      if (known.has(text)) return known.get(text);
      const found = lookUp(text);
      if (known.size < 20_000) known.set(text, found);
      return found;
    },
  };
}
