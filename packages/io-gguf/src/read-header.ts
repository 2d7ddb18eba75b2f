import { type ByteSource, refuseForeign, show } from "@weft/io-safetensors";
import type { WeftErrorKind } from "@weft/tensor-core";
import { Cursor } from "./cursor.js";
import { GGML_TYPES, type GgmlTypeName, ggmlTypeOf } from "./ggml-types.js";
import { errorAt } from "@weft/io-safetensors";
import {
  ALIGNMENT_KEY,
  DEFAULT_ALIGNMENT,
  MAX_ALIGNMENT,
  MAX_ARRAY_ITEMS,
  MAX_DIMENSIONS,
  MAX_KEYS,
  MAX_NAME_BYTES,
  MAX_TENSORS,
} from "./limits.js";
import { padded, tensorBytes } from "./tensor-bytes.js";
import { type GgufMetadata, type GgufNumberType, type GgufText, type GgufValue, NUMBER_ARRAYS, VALUE_TYPES } from "./values.js";

/** A tensor of a file, nothing of its data read yet. */
export interface GgufTensor {
  readonly name: string;
  readonly type: GgmlTypeName;
  /** Row-major as everywhere else, `[out, in]` for a linear layer; files hold the axes the other way round. */
  readonly shape: readonly number[];
  /** Length of its data in bytes. */
  readonly bytes: number;
  /** Where its data begins, in bytes from the beginning of the file. */
  readonly offset: number;
  /** The file that holds it. */
  readonly file: string;
}

/** What a file says before its data. */
export interface GgufHeader {
  readonly version: number;
  readonly metadata: GgufMetadata;
  /** In the order of the file, which is that of their data. */
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  /** Where the data of a tensor begins at multiples of, in bytes. */
  readonly alignment: number;
}

const MAGIC = 0x46554747;
const SWAPPED_VERSIONS = [0x01000000, 0x02000000, 0x03000000];
/** Bytes of the fewest that an entry of metadata, and a tensor, take: counts that the file cannot hold are refused at once. */
const LEAST_ENTRY = 8 + 4 + 1;
const LEAST_TENSOR = 8 + 4 + 4 + 8;

/**
 * Reads and checks what comes before the data, with the checks of llama.cpp and limits of our own.
 * @throws FormatError kinds `magic`, `version`, `endianness`, `truncated`, `limit`, `key`, `utf8`, `duplicate-key`, `type`, `array`, `alignment`, `name`, `dims`, `overflow`, `tensor-type`, `block`,
 *   `offset`; those of `refuseForeign` for what is certainly something else
 * @see ggml `gguf.cpp` gguf_init_from_file_impl
 */
export async function readHeader(source: ByteSource): Promise<GgufHeader> {
  return new HeaderReader(source).read();
}

class HeaderReader {
  readonly #file: string;
  readonly #size: number;
  readonly #cursor: Cursor;
  #items = 0;

  constructor(source: ByteSource) {
    this.#file = source.location;
    this.#size = source.size;
    this.#cursor = new Cursor(source);
  }

  async read(): Promise<GgufHeader> {
    const version = await this.#version();
    await this.#cursor.fill(16);
    const tensorCount = this.#count("tensors", MAX_TENSORS, LEAST_TENSOR);
    const keyCount = this.#count("entries of metadata", MAX_KEYS, LEAST_ENTRY);
    const metadata = await this.#metadata(keyCount);
    const alignment = alignmentOf(metadata, this.#file);
    return { version, metadata, alignment, tensors: await this.#tensors(tensorCount, alignment) };
  }

  async #version(): Promise<number> {
    const beginning = Math.min(32, this.#size);
    await this.#cursor.fill(beginning);
    const first = this.#cursor.peek(beginning);
    if (String.fromCharCode(...first.subarray(0, 4)) !== "GGUF") refuseForeign(first, this.#file);
    await this.#cursor.fill(8);
    if (this.#cursor.u32() !== MAGIC) throw this.#error("magic", "this is not a GGUF file: it does not begin with GGUF", 0);
    const version = this.#cursor.u32();
    if (SWAPPED_VERSIONS.includes(version)) throw this.#error("endianness", "the file is for big-endian machines", 4);
    if (version !== 2 && version !== 3) throw this.#error("version", `version ${version}, expected 2 or 3`, 4);
    return version;
  }

  /** A number of things of which each takes some bytes. */
  #count(what: string, most: number, bytes: number): number {
    const byte = this.#cursor.position;
    const count = this.#cursor.u64();
    if (count > most) throw this.#error("limit", `${count} ${what}, at most ${most} are allowed`, byte);
    if (Number(count) * bytes > this.#size) throw this.#error("truncated", `${count} ${what} do not fit into ${this.#size} bytes`, byte);
    return Number(count);
  }

  async #metadata(count: number): Promise<Map<string, GgufValue>> {
    const metadata = new Map<string, GgufValue>();
    for (let i = 0; i < count; i++) {
      const byte = this.#cursor.position;
      const key = this.#utf8(await this.#cursor.text(), `the name of entry ${i} of the metadata`, byte);
      if (key === "") throw this.#error("key", `entry ${i} of the metadata has no name`, byte);
      if (metadata.has(key)) throw errorAt("duplicate-key", "stands twice", { file: this.#file, key, byte });
      metadata.set(key, await this.#value(key));
    }
    return metadata;
  }

  async #value(key: string): Promise<GgufValue> {
    await this.#cursor.fill(4);
    const type = this.#type(key);
    if (type === "array") return this.#array(key);
    if (type === "string") return { type, value: await this.#cursor.text() };
    if (type === "bool") {
      await this.#cursor.fill(1);
      return { type, value: this.#cursor.u8() !== 0 };
    }
    await this.#cursor.fill(NUMBER_ARRAYS[type].BYTES_PER_ELEMENT);
    return { type, value: this.#cursor.numbers(type, 1)[0] } as GgufValue;
  }

  #type(key: string): (typeof VALUE_TYPES)[number] {
    const byte = this.#cursor.position;
    const id = this.#cursor.u32();
    const type = VALUE_TYPES[id];
    if (type === undefined) throw errorAt("type", `type ${id}, expected 0 to ${VALUE_TYPES.length - 1}`, { file: this.#file, key, byte });
    return type;
  }

  async #array(key: string): Promise<GgufValue> {
    await this.#cursor.fill(12);
    const place = { file: this.#file, key, byte: this.#cursor.position };
    const items = this.#type(key);
    if (items === "array") throw errorAt("array", "an array of arrays", place);
    const claimed = this.#cursor.u64();
    const each = items === "string" ? 8 : items === "bool" ? 1 : NUMBER_ARRAYS[items].BYTES_PER_ELEMENT;
    if (claimed * BigInt(each) > BigInt(this.#cursor.left))
      throw errorAt("truncated", `an array of ${claimed}, the file has ${this.#cursor.left} more bytes`, place);
    const count = Number(claimed);
    this.#items += count;
    if (this.#items > MAX_ARRAY_ITEMS) throw errorAt("limit", `arrays of more than ${MAX_ARRAY_ITEMS} elements together`, place);
    if (items === "string") {
      const value: GgufText[] = [];
      for (let i = 0; i < count; i++) value.push(await this.#cursor.text());
      return { type: "array", items, value };
    }
    await this.#cursor.fill(count * each);
    if (items === "bool") return { type: "array", items, value: Array.from(this.#cursor.bytes(count), (byte) => byte !== 0) };
    return { type: "array", items, value: this.#cursor.numbers(items as GgufNumberType, count) } as GgufValue;
  }

  async #tensors(count: number, alignment: number): Promise<Map<string, GgufTensor>> {
    const tensors = new Map<string, GgufTensor>();
    let expected = 0;
    for (let i = 0; i < count; i++) {
      const tensor = await this.#tensor(i, expected);
      if (tensors.has(tensor.name)) throw errorAt("duplicate-key", "stands twice", { file: this.#file, tensor: tensor.name });
      tensors.set(tensor.name, tensor);
      expected = padded(expected + tensor.bytes, alignment);
      if (expected > Number.MAX_SAFE_INTEGER)
        throw errorAt("overflow", "data up to its end is more than can be counted", { file: this.#file, tensor: tensor.name });
    }
    const start = padded(this.#cursor.position, alignment);
    // Offsets count from there, which is known only now.
    for (const [name, tensor] of tensors) {
      const offset = start + tensor.offset;
      if (offset + tensor.bytes > this.#size)
        throw errorAt("truncated", `its data lies at ${offset}–${offset + tensor.bytes}, the file has ${this.#size} bytes`, {
          file: this.#file,
          tensor: name,
          byte: this.#size,
          hint: "the download is incomplete: fetch the file again",
        });
      tensors.set(name, { ...tensor, offset });
    }
    return tensors;
  }

  async #tensor(index: number, expected: number): Promise<GgufTensor> {
    const begin = this.#cursor.position;
    const text = await this.#cursor.text();
    const name = this.#utf8(text, `the name of tensor ${index}`, begin);
    const length = new TextEncoder().encode(name).byteLength;
    if (length > MAX_NAME_BYTES)
      throw this.#error(
        "name",
        `the name of tensor ${index}, ${show(name)}, has ${length} bytes, at most ${MAX_NAME_BYTES} are allowed`,
        begin,
      );
    await this.#cursor.fill(4);
    const place = { file: this.#file, tensor: name, byte: this.#cursor.position };
    const rank = this.#cursor.u32();
    if (rank > MAX_DIMENSIONS) throw errorAt("dims", `${rank} axes, at most ${MAX_DIMENSIONS} are allowed`, place);
    await this.#cursor.fill(8 * rank + 12);
    const shape = Array.from({ length: rank }, () => BigInt.asIntN(64, this.#cursor.u64())).reverse();
    const at = this.#cursor.position;
    const id = this.#cursor.u32();
    const type = ggmlTypeOf(id);
    if (type === undefined)
      throw errorAt("tensor-type", `type ${id} is none that ggml has`, {
        ...place,
        byte: at,
        hint: `there are ${Object.keys(GGML_TYPES).join(", ")}`,
      });
    const bytes = tensorBytes(shape, type, place);
    const offset = this.#cursor.u64();
    if (offset !== BigInt(expected))
      throw errorAt("offset", `its data begins at ${offset} of the data, expected ${expected}`, { ...place, byte: at + 4 });
    return { name, type, shape: shape.map(Number), bytes, offset: expected, file: this.#file };
  }

  #utf8(text: GgufText, what: string, byte: number): string {
    if (typeof text !== "string") throw this.#error("utf8", `${what} is not UTF-8`, byte);
    return text;
  }

  #error(kind: WeftErrorKind<"format">, message: string, byte: number): Error {
    return errorAt(kind, message, { file: this.#file, byte });
  }
}

/** Where tensors begin at multiples of. @throws FormatError kind `alignment` */
export function alignmentOf(metadata: GgufMetadata, file?: string): number {
  const given = metadata.get(ALIGNMENT_KEY);
  if (given === undefined) return DEFAULT_ALIGNMENT;
  const place = { ...(file !== undefined && { file }), key: ALIGNMENT_KEY };
  if (given.type !== "u32") throw errorAt("alignment", `of type ${given.type}, expected u32`, place);
  const { value } = given;
  if (!Number.isInteger(Math.log2(value)) || value > MAX_ALIGNMENT)
    throw errorAt("alignment", `${value}, expected a power of two up to ${MAX_ALIGNMENT}`, place);
  return value;
}
