import { type Encoding, type Offsets, withLists } from "../encoding/encoding.js";
import type { PostProcessorKind } from "./post-processor.js";

// The character that stands for a space, or a space of a token that was added.
const LEADING = /^[Ġ\p{White_Space}]*/u;
const TRAILING = /[Ġ\p{White_Space}]*$/u;
const SPACE = /^[Ġ\p{White_Space}]|[Ġ\p{White_Space}]$/u;

/**
 * Leaves spaces at the ends of tokens out of their offsets, but for the one that was put in front of the text.
 * @see tokenizers `pre_tokenizers/byte_level.rs` process_offsets
 */
export const trimOffsets = (encoding: Encoding, addPrefixSpace: boolean): Encoding =>
  withLists(encoding, ({ tokens, offsets }) => ({
    offsets: offsets.map(([from, to], i): Offsets => {
      const token = tokens[i]!;
      if (!SPACE.test(token)) return offsets[i]!;
      let leading = LEADING.exec(token)![0].length;
      const trailing = TRAILING.exec(token)![0].length;
      if (leading === 1 && addPrefixSpace && (i === 0 || from === 0)) leading = 0;
      const start = Math.min(from + leading, to);
      return [start, trailing > 0 && to >= trailing ? Math.max(to - trailing, start) : to];
    }),
  }));

/** Only offsets: no token is added. */
export const BYTE_LEVEL: PostProcessorKind = {
  type: "ByteLevel",
  read(field) {
    const trim = field.at("trim_offsets").boolean();
    const prefix = field.at("add_prefix_space").boolean();
    return { added: () => 0, process: (encodings) => (trim ? encodings.map((one) => trimOffsets(one, prefix)) : encodings) };
  },
};
