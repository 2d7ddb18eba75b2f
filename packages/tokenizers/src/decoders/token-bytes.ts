import { CapabilityError } from "@weft/tensor-core";
import type { Field } from "../json/fields.js";
import { fromByteChars } from "../text/byte-level.js";
import type { Decoder } from "./decoder.js";
import { readDecoder } from "./index.js";

const encoder = new TextEncoder();

/** Decoders whose text of a token depends on no other token, but for the first. */
const SINGLE: ReadonlySet<string> = new Set(["Replace", "Metaspace", "Strip"]);

/** The decoders that a `decoder` is made of, in order. */
const stages = (field: Field): readonly Field[] =>
  field.absent ? [] : field.at("type").string() === "Sequence" ? field.at("decoders").items().flatMap(stages) : [field];

/**
 * What makes bytes of a token that is not the first of its text; the bytes of a text are those of its tokens, one after the other.
 * @param field the `decoder` of a file
 * @throws CapabilityError kind `no-token-bytes` of tokenizers whose tokens are not parts of a text by themselves
 */
export function tokenBytesOf(field: Field): (token: string) => Uint8Array {
  const all = stages(field);
  const names = all.map((stage) => stage.at("type").string());
  if (names.length === 1 && names[0] === "ByteLevel") return (token) => Uint8Array.from(fromByteChars(token) ?? encoder.encode(token));
  // What comes behind `Fuse` is about the whole text: the space that is taken from its beginning.
  const fuse = names.indexOf("Fuse");
  const [before, after] = fuse < 0 ? [names, []] : [names.slice(0, fuse), names.slice(fuse + 1)];
  const wrong = before.find((name) => !SINGLE.has(name) && name !== "ByteFallback") ?? after.find((name) => name !== "Strip");
  if (wrong !== undefined || names.length === 0)
    throw new CapabilityError(
      `tokens of this tokenizer are not bytes of a text by themselves: ${wrong === undefined ? "it has no decoder, so spaces stand between them" : `its decoder is ${wrong}`}`,
      { kind: "no-token-bytes", hint: "tokenizers of generative models have: byte-level BPE, BPE with byte fallback, Unigram, RWKV World" },
    );
  const decoders: readonly Decoder[] = all
    .slice(0, before.length)
    .filter((_, i) => before[i] !== "ByteFallback")
    .map(readDecoder);
  const fallback = before.includes("ByteFallback");
  return (token) => {
    const byte = fallback ? /^<0x([\da-fA-F]{2})>$/.exec(token) : null;
    if (byte) return Uint8Array.of(parseInt(byte[1]!, 16));
    return encoder.encode(decoders.reduce((tokens, decode) => decode(tokens), ["", token])[1]!);
  };
}
