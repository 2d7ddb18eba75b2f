import { ByteWriter } from "./byte-writer.js";
import { GGML_TYPES, type GgmlTypeName } from "./ggml-types.js";
import { errorAt } from "@weft/io-safetensors";
import { MAX_KEYS, MAX_NAME_BYTES, MAX_TENSORS } from "./limits.js";
import { alignmentOf } from "./read-header.js";
import { padded, tensorBytes } from "./tensor-bytes.js";
import { type GgufMetadata, VALUE_TYPES } from "./values.js";

/** A tensor to be written. */
export interface GgufEntry {
  readonly name: string;
  readonly type: GgmlTypeName;
  /** Row-major, the innermost axis last. */
  readonly shape: readonly number[];
}

/** A tensor with its place in the file to be. */
export interface PlacedGguf extends GgufEntry {
  readonly bytes: number;
  /** From the beginning of the file. */
  readonly offset: number;
}

/** A file before its data is written; what no tensor fills is zeros. */
export interface GgufLayout {
  /** Everything before the data. */
  readonly header: Uint8Array;
  readonly tensors: readonly PlacedGguf[];
  /** Size of the whole file in bytes. */
  readonly size: number;
}

const VERSION = 3;

/**
 * Lays a file out as gguf-py does, so that the same metadata and tensors, in the same order, give the same bytes.
 * @throws FormatError kinds `alignment`, `key`, `duplicate-key`, `name`, `tensor-type`, `dims`, `overflow`, `block`, `limit`, `utf8`: what no reader would take
 * @see gguf-py `gguf_writer.py`
 */
export function layoutGguf(metadata: GgufMetadata, entries: Iterable<GgufEntry>): GgufLayout {
  const alignment = alignmentOf(metadata);
  const tensors = placed(entries, alignment);
  if (metadata.size > MAX_KEYS || tensors.length > MAX_TENSORS)
    throw errorAt("limit", `more than ${MAX_KEYS} entries of metadata, or ${MAX_TENSORS} tensors`);
  const out = new ByteWriter();
  out.ascii("GGUF");
  out.numbers("u32", [VERSION]);
  out.numbers("u64", [BigInt(tensors.length), BigInt(metadata.size)]);
  for (const [key, value] of metadata) {
    if (key === "") throw errorAt("key", "an entry of the metadata has no name");
    out.text(key);
    out.numbers("u32", [VALUE_TYPES.indexOf(value.type)]);
    out.value(value);
  }
  for (const { name, type, shape, offset } of tensors) {
    out.text(name);
    out.numbers("u32", [shape.length]);
    out.numbers("u64", shape.map(BigInt).reverse());
    out.numbers("u32", [GGML_TYPES[type].id]);
    out.numbers("u64", [BigInt(offset)]);
  }
  const start = padded(out.length, alignment);
  const last = tensors.at(-1);
  return {
    header: out.bytes(),
    tensors: tensors.map((tensor) => ({ ...tensor, offset: start + tensor.offset })),
    size: start + (last ? padded(last.offset + last.bytes, alignment) : 0),
  };
}

/** Places counted from the beginning of the data. */
function placed(entries: Iterable<GgufEntry>, alignment: number): PlacedGguf[] {
  const names = new Set<string>();
  let at = 0;
  return [...entries].map(({ name, type, shape }) => {
    const place = { tensor: name };
    if (names.has(name)) throw errorAt("duplicate-key", "is given twice", place);
    names.add(name);
    const length = new TextEncoder().encode(name).byteLength;
    if (length > MAX_NAME_BYTES) throw errorAt("name", `its name has ${length} bytes, at most ${MAX_NAME_BYTES} are allowed`, place);
    if (!Object.hasOwn(GGML_TYPES, type))
      throw errorAt("tensor-type", `type ${JSON.stringify(type)} is none that ggml has`, {
        ...place,
        hint: `there are ${Object.keys(GGML_TYPES).join(", ")}`,
      });
    const bytes = tensorBytes(shape, type, place);
    const offset = at;
    at = padded(at + bytes, alignment);
    return { name, type, shape, bytes, offset };
  });
}
