import type { ByteSource } from "@weft/io-safetensors";
import { errorAt } from "@weft/io-safetensors";
import { MAX_STRING_BYTES } from "./limits.js";
import { type GgufNumberArrays, type GgufNumberType, type GgufText, NUMBER_ARRAYS } from "./values.js";

/** Bytes that are asked for at first, and at most, where less is needed: a header is some kilobytes, or megabytes with its vocabulary. */
const FIRST_READ: number = 64 << 10;
const LONGEST_READ: number = 4 << 20;

/** Reads a file from its beginning on, in pieces that grow. Numbers and strings are read at once after `fill` has brought their bytes. */
export class Cursor {
  readonly #source: ByteSource;
  /** Bytes that are here, of which those before `#at` are read. */
  #window: DataView = new DataView(new ArrayBuffer(0));
  #at = 0;
  /** Where the window begins in the file. */
  #start = 0;
  #next = FIRST_READ;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get position(): number {
    return this.#start + this.#at;
  }

  /** Bytes of the file that are still to come. */
  get left(): number {
    return this.#source.size - this.position;
  }

  /** Whether the next bytes are here. */
  has(bytes: number): boolean {
    return this.#window.byteLength - this.#at >= bytes;
  }

  /** Brings the next bytes here. @throws FormatError kind `truncated` if the file has fewer */
  async fill(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    const { size, location } = this.#source;
    const position = this.position;
    if (bytes > size - position)
      throw errorAt("truncated", `the file ends at byte ${size}, ${position + bytes - size} bytes early`, {
        file: location,
        byte: position,
      });
    const read = await this.#source.read(position, Math.min(size - position, Math.max(bytes, this.#next)));
    this.#next = Math.min(2 * this.#next, LONGEST_READ);
    this.#window = new DataView(read.buffer, read.byteOffset, read.byteLength);
    this.#start = position;
    this.#at = 0;
  }

  /** The next bytes, which are still to be read. */
  peek(count: number): Uint8Array {
    return new Uint8Array(this.#window.buffer, this.#window.byteOffset + this.#at, count);
  }

  /** The next bytes, as a copy that is aligned. */
  bytes(count: number): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(count);
    copy.set(this.peek(count));
    this.#at += count;
    return copy;
  }

  u8(): number {
    return this.#window.getUint8(this.#at++);
  }

  u32(): number {
    this.#at += 4;
    return this.#window.getUint32(this.#at - 4, true);
  }

  u64(): bigint {
    this.#at += 8;
    return this.#window.getBigUint64(this.#at - 8, true);
  }

  /** Numbers that lie one behind the other. */
  numbers<T extends GgufNumberType>(type: T, count: number): GgufNumberArrays[T] {
    const Numbers = NUMBER_ARRAYS[type];
    return new Numbers(this.bytes(count * Numbers.BYTES_PER_ELEMENT).buffer);
  }

  /** A string: its length and its bytes. @throws FormatError kinds `truncated`, `limit` */
  async text(): Promise<GgufText> {
    if (!this.has(8)) await this.fill(8);
    const byte = this.position;
    const length = this.u64();
    const place = { file: this.#source.location, byte };
    if (length > BigInt(this.left)) throw errorAt("truncated", `a string of ${length} bytes, the file has ${this.left} more`, place);
    if (length > MAX_STRING_BYTES) throw errorAt("limit", `a string of ${length} bytes, at most ${MAX_STRING_BYTES} are allowed`, place);
    const count = Number(length);
    if (!this.has(count)) await this.fill(count);
    const bytes = this.bytes(count);
    try {
      return UTF8.decode(bytes);
    } catch {
      return bytes;
    }
  }
}

/** Keeps a byte order mark, which is text here. */
const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
