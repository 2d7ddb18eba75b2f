import { FormatError } from "@weft/tensor-core";
import { bitsPerElement, parseDType, type SafetensorsDType } from "./dtypes.js";
import { JsonScanner, parseUnsigned } from "./json-scanner.js";

/** Longest header that the reference reads. */
export const MAX_HEADER_BYTES = 100_000_000;
/** Most tensors in one file: the largest header holds about 1.4 million of the shortest entries; real files hold a few thousand. */
export const MAX_TENSORS = 1_000_000;

/** A tensor of a file, nothing read yet. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** Length of its data in bytes. */
  readonly bytes: number;
  /** Where its data begins, in bytes from the beginning of the file. */
  readonly offset: number;
}

export interface Header {
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Where tensor data begins. */
  readonly dataStart: number;
}

type Exact = number | bigint;

interface RawEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly Exact[];
  readonly begin: Exact;
  readonly end: Exact;
}

const KINDS = { utf8: "header-utf8", json: "header-json" } as const;

/**
 * The length of the JSON text, from the first 8 bytes of a file.
 * @throws FormatError kinds `header-too-small`, `header-too-large`, `header-truncated`
 */
export function headerLength(first: Uint8Array, fileSize: number, file: string): number {
  const fail = (kind: string, message: string): never => {
    throw new FormatError(`${file}: ${message}`, { kind, file, hint: "the file is not in the safetensors format, or its download was cut" });
  };
  if (fileSize < 8 || first.byteLength < 8) fail("header-too-small", `${fileSize} bytes are too few for a safetensors file, which begins with an 8-byte length`);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) fail("header-too-large", `the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`);
  if (8n + length > BigInt(fileSize)) fail("header-truncated", `the header claims ${length} bytes, the file has ${fileSize - 8} after the length`);
  return Number(length);
}

/** Reads and checks the JSON text of a header against the size of its file, with the reference's checks in its order. */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): Header {
  const scanner = new JsonScanner(json, KINDS, file);
  const { entries, metadata } = scanEntries(scanner, file);
  const dataStart = 8 + json.byteLength;
  return { tensors: checkLayout(entries, fileSize - dataStart, dataStart, file), metadata, dataStart };
}

function scanEntries(scanner: JsonScanner, file: string): { entries: RawEntry[]; metadata: Map<string, string> } {
  const schema = (message: string, tensor?: string): FormatError => new FormatError(`${file}: ${message}`, { kind: "header-schema", file, ...(tensor === undefined ? {} : { tensor }) });
  if (scanner.peek() !== "{") {
    scanner.value();
    throw schema("the header must be a JSON object");
  }
  const entries: RawEntry[] = [];
  const metadata = new Map<string, string>();
  scanner.object((name) => {
    if (name === "__metadata__") {
      if (scanner.peek() !== "{") throw schema("__metadata__ must be an object of strings");
      scanner.object((key) => {
        if (scanner.peek() !== '"') throw schema(`__metadata__ ${JSON.stringify(key)} must be a string`);
        metadata.set(key, scanner.string());
      });
      return;
    }
    if (entries.length >= MAX_TENSORS) throw new FormatError(`${file}: more than ${MAX_TENSORS} tensors`, { kind: "limit", file });
    entries.push(scanEntry(scanner, name, (message) => schema(`tensor ${JSON.stringify(name)}: ${message}`, name)));
  });
  scanner.end();
  return { entries, metadata };
}

function scanEntry(scanner: JsonScanner, name: string, schema: (message: string) => FormatError): RawEntry {
  /** A value of the wrong kind; if it is no JSON at all, that comes first. */
  const wrong = (message: string): FormatError => {
    scanner.value(3);
    return schema(message);
  };
  if (scanner.peek() !== "{") throw wrong("its entry must be an object");
  const integers = (what: string): Exact[] => {
    if (scanner.peek() !== "[") throw wrong(`${what} must be an array`);
    const list: Exact[] = [];
    scanner.array(() => {
      const c = scanner.peek();
      if (c !== "-" && (c < "0" || c > "9")) throw wrong(`${what} must hold integers`);
      const { text } = scanner.number();
      const value = parseUnsigned(text);
      if (value === undefined) throw schema(`${what} holds ${text}, expected an integer from 0 to 2^64-1 in plain digits`);
      list.push(value);
    });
    return list;
  };
  let dtype: SafetensorsDType | undefined;
  let shape: Exact[] | undefined;
  let offsets: Exact[] | undefined;
  scanner.object((field) => {
    if (field === "dtype") {
      if (scanner.peek() !== '"') throw wrong("dtype must be a string");
      const text = scanner.string();
      dtype = parseDType(text);
      if (!dtype) throw schema(`dtype ${JSON.stringify(text)} is unknown`);
    } else if (field === "shape") shape = integers("shape");
    else if (field === "data_offsets") offsets = integers("data_offsets");
    else scanner.value(3);
  });
  if (!dtype || !shape || !offsets) throw schema(`${!dtype ? "dtype" : !shape ? "shape" : "data_offsets"} is missing`);
  if (offsets.length !== 2) throw schema(`data_offsets has ${offsets.length} entries, expected 2`);
  return { name, dtype, shape, begin: offsets[0]!, end: offsets[1]! };
}

const U64_END = 2n ** 64n;

/** Elements and bits by running products that must stay below 2^64; a zero first makes any later dimension harmless, as in the reference. */
function sizeInBits({ shape, dtype }: RawEntry): Exact | undefined {
  let count: Exact = 1;
  for (const factor of [...shape, bitsPerElement(dtype)]) {
    const product: number = Number(count) * Number(factor);
    if (product <= Number.MAX_SAFE_INTEGER) count = product;
    else {
      const exact: bigint = BigInt(count) * BigInt(factor);
      if (exact >= U64_END) return undefined;
      count = exact;
    }
  }
  return count;
}

function checkLayout(entries: readonly RawEntry[], dataBytes: number, dataStart: number, file: string): Map<string, TensorInfo> {
  const fail = (kind: string, message: string, tensor?: string): never => {
    throw new FormatError(`${file}: ${tensor === undefined ? "" : `tensor ${JSON.stringify(tensor)}: `}${message}`, { kind, file, ...(tensor === undefined ? {} : { tensor }) });
  };
  let previous: Exact = 0;
  // Comparisons between number and bigint are exact.
  for (const e of [...entries].sort((a, b) => (a.begin < b.begin ? -1 : a.begin > b.begin ? 1 : a.end < b.end ? -1 : a.end > b.end ? 1 : 0))) {
    if (e.begin != previous || e.begin > e.end) fail("offsets", `its data lies at ${e.begin}–${e.end}, expected to begin at ${previous} (no hole, no overlap)`, e.name);
    const bits = sizeInBits(e);
    if (bits === undefined) return fail("overflow", `shape [${e.shape}] of ${e.dtype} takes more than 2^64 bits`, e.name);
    if (BigInt(bits) % 8n !== 0n) fail("sub-byte", `shape [${e.shape}] of ${e.dtype} takes ${bits} bits, not whole bytes`, e.name);
    if (BigInt(bits) / 8n !== BigInt(e.end) - BigInt(e.begin)) fail("size-mismatch", `shape [${e.shape}] of ${e.dtype} takes ${BigInt(bits) / 8n} bytes, its data is ${BigInt(e.end) - BigInt(e.begin)}`, e.name);
    previous = e.end;
  }
  if (previous > dataBytes) fail("data-truncated", `tensors take ${previous} bytes, the file has ${dataBytes} after the header: the file is cut`);
  if (previous < dataBytes) fail("trailing-data", `${BigInt(dataBytes) - BigInt(previous)} bytes follow the last tensor`);
  // Everything lies inside the file now, so all offsets are exact numbers.
  return new Map(entries.map(({ name, dtype, shape, begin, end }) => [name, { name, dtype, shape: shape.map(Number), bytes: Number(end) - Number(begin), offset: dataStart + Number(begin) }]));
}
