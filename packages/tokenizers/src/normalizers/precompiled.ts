import type { Edits } from "../text/normalized-string.js";
import { readCharsmap } from "./charsmap.js";
import type { NormalizerKind } from "./normalizer.js";

/** Longest cluster, in bytes of UTF-8, that is replaced as one. */
const MAX_CLUSTER_BYTES = 5;
const utf8Length = (text: string): number => new TextEncoder().encode(text).length;

/** Puts `by` in the place of `part`. */
function replace(edits: Edits, part: string, by: string): void {
  const chars = [...by];
  const more = chars.length - [...part].length;
  for (const [i, char] of chars.entries()) {
    edits.chars.push(char);
    edits.changes.push(i >= chars.length - more ? 1 : 0);
  }
  if (more < 0 && edits.chars.length > 0) edits.changes[edits.changes.length - 1]! += more;
}

/** The rules of a SentencePiece model, such as `nmt_nfkc`. @see tokenizers `normalizers/precompiled.rs` */
export const PRECOMPILED: NormalizerKind = {
  type: "Precompiled",
  read(field) {
    const encoded = field.at("precompiled_charsmap");
    // Without rules the text stays as it is.
    if (encoded.string("") === "") return (piece) => piece;
    const charsmap = readCharsmap(base64(encoded.string()) ?? new Uint8Array());
    if (!charsmap) throw encoded.wrong("a charsmap of SentencePiece in base64");
    const clusters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
    return (piece) => {
      const edits: Edits = { chars: [], changes: [] };
      let modified = false;
      for (const { segment } of clusters.segment(piece.text)) {
        const whole = utf8Length(segment) <= MAX_CLUSTER_BYTES ? charsmap.replacement(segment) : undefined;
        const parts = whole === undefined ? [...segment] : [segment];
        for (const part of parts) {
          const by = whole ?? charsmap.replacement(part);
          modified ||= by !== undefined;
          if (by !== undefined) replace(edits, part, by);
          else {
            edits.chars.push(part);
            edits.changes.push(0);
          }
        }
      }
      return modified ? piece.transform(edits) : piece;
    };
  },
};

function base64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) return undefined;
  return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
