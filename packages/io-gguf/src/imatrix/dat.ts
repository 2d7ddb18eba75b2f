import { errorAt, show } from "@weft/io-safetensors";
import { MAX_NAME_BYTES } from "../limits.js";
import { checkedEntry, type Imatrix, type ImatrixEntry, meansOf } from "./imatrix.js";

/** Reads numbers of a file, and says where it ends too early. */
class Reader {
  private at = 0;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get ended(): boolean {
    return this.at === this.bytes.byteLength;
  }

  /** The next bytes. @throws FormatError kind `truncated` */
  take(length: number, what: string): Uint8Array {
    if (length > this.bytes.byteLength - this.at)
      throw errorAt("truncated", `the file ends at byte ${this.bytes.byteLength}, within ${what}`, { file: this.file, byte: this.at });
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  /** An i32 between bounds. @throws FormatError kinds `truncated`, `imatrix` */
  integer(what: string, least: number, most: number): number {
    const byte = this.at;
    this.take(4, what);
    const value = this.view.getInt32(byte, true);
    if (value < least || value > most)
      throw errorAt("imatrix", `${what} is ${value}, expected ${least} to ${most}`, {
        file: this.file,
        byte,
        hint: "is this an importance matrix of llama.cpp (imatrix.dat, imatrix.gguf)?",
      });
    return value;
  }
}

const MOST = 2 ** 31 - 1;

/**
 * Reads the older form of an importance matrix: for each tensor its name, a number of calls, and the mean of x² times that number.
 * @throws FormatError kinds `truncated`, `imatrix`, `duplicate-key`
 * @see llama.cpp `tools/imatrix/imatrix.cpp` load_imatrix_legacy
 */
export function readDat(bytes: Uint8Array, file: string): Imatrix {
  const reader = new Reader(bytes, file);
  const count = reader.integer("the number of entries", 1, MOST);
  const entries = new Map<string, ImatrixEntry>();
  let chunks = 0;
  for (let i = 0; i < count; i++) {
    const length = reader.integer(`the length of name ${i}`, 1, MAX_NAME_BYTES);
    const name = new TextDecoder().decode(reader.take(length, `name ${i}`));
    if (entries.has(name)) throw errorAt("duplicate-key", `${show(name)} is there twice`, { file });
    const calls = reader.integer(`the number of calls of ${show(name)}`, 0, MOST);
    const values = reader.integer(`the number of values of ${show(name)}`, 1, MOST);
    const sums = new Float32Array(reader.take(4 * values, `the values of ${show(name)}`).slice().buffer);
    entries.set(name, checkedEntry(name, { sums, counts: Float32Array.of(Math.max(1, calls)) }, file));
    chunks = Math.max(chunks, calls);
  }
  if (reader.ended) return { entries, datasets: [], chunks };
  chunks = reader.integer("the number of chunks", 0, MOST);
  const length = reader.integer("the length of the dataset's name", 0, MOST);
  const dataset = new TextDecoder().decode(reader.take(length, "the dataset's name"));
  return { entries, datasets: dataset === "" ? [] : [dataset], chunks };
}

/** The bytes of the older form. @see llama.cpp `tools/imatrix/imatrix.cpp` save_imatrix_legacy */
export function encodeDat({ entries, datasets, chunks }: Imatrix): Uint8Array {
  const text = new TextEncoder();
  const int = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
  const calls = Math.max(1, chunks);
  const dataset = text.encode(datasets.at(-1) ?? "");
  const pieces = [...entries]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, entry]) => {
      const values = meansOf(entry).map((mean) => mean * calls);
      const own = text.encode(name);
      return [int(own.length), own, int(calls), int(values.length), new Uint8Array(values.buffer)];
    });
  const all = [int(entries.size), ...pieces, int(chunks), int(dataset.length), dataset];
  const bytes = new Uint8Array(all.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of all) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
