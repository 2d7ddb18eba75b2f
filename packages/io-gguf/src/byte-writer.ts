import { show } from "@weft/io-safetensors";
import { errorAt } from "@weft/io-safetensors";
import { type GgufNumberType, type GgufText, type GgufValue, NUMBER_ARRAYS, VALUE_TYPES } from "./values.js";

const UTF8 = new TextEncoder();

/** Collects the bytes of a header. */
export class ByteWriter {
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    const all = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.byteLength;
    }
    return all;
  }

  ascii(text: string): void {
    this.#add(UTF8.encode(text));
  }

  /** @throws FormatError kind `type` for what the type does not hold: a fraction or too large a number for integers */
  numbers(type: GgufNumberType, values: ArrayLike<number> | ArrayLike<bigint>): void {
    const Numbers = NUMBER_ARRAYS[type];
    const array = new Numbers(new ArrayBuffer(values.length * Numbers.BYTES_PER_ELEMENT));
    (array as { set(values: ArrayLike<number> | ArrayLike<bigint>): void }).set(values);
    if (type !== "f32" && type !== "f64")
      for (let i = 0; i < array.length; i++) if (array[i] !== values[i]) throw errorAt("type", `${values[i]} is no ${type}`);
    this.#add(new Uint8Array(array.buffer));
  }

  /** @throws FormatError kind `utf8` for half a surrogate pair, which UTF-8 cannot hold */
  text(text: GgufText): void {
    if (typeof text === "string" && /\p{Surrogate}/u.test(text)) throw errorAt("utf8", `${show(text)} holds a surrogate that stands alone`);
    const bytes = typeof text === "string" ? UTF8.encode(text) : text;
    this.numbers("u64", [BigInt(bytes.byteLength)]);
    this.#add(bytes);
  }

  /** A value behind its type. */
  value(value: GgufValue): void {
    if (value.type === "string") this.text(value.value);
    else if (value.type === "bool") this.numbers("u8", [Number(value.value)]);
    else if (value.type === "array") this.#array(value);
    else this.numbers(value.type, [value.value] as number[] | bigint[]);
  }

  #array(value: Extract<GgufValue, { type: "array" }>): void {
    this.numbers("u32", [VALUE_TYPES.indexOf(value.items)]);
    this.numbers("u64", [BigInt(value.value.length)]);
    if (value.items === "string") for (const text of value.value) this.text(text);
    else if (value.items === "bool") this.numbers("u8", value.value.map(Number));
    else this.numbers(value.items, value.value);
  }

  #add(bytes: Uint8Array): void {
    this.#parts.push(bytes);
    this.#length += bytes.byteLength;
  }
}
