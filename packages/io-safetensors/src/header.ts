import type { WeftErrorKind } from "@weft/tensor-core";
import { bitsPerElement, parseDType, type SafetensorsDType } from "./dtypes.js";
import { formatError, show, showShape } from "./format-error.js";
import { JsonScanner } from "./json-scanner.js";

/** Longest header that the reference reads. */
export const MAX_HEADER_BYTES = 100_000_000;
/**
 * Most tensors in one file, and most entries of its metadata: real files hold a few thousand, the largest index known some 100,000. More would
 * take longer than a second and more than 256 MiB to check.
 */
export const MAX_TENSORS = 250_000;
/** Most dimensions and offsets in one file, six to each of the most tensors and then some; the format has no limit on ranks. */
const MAX_INTEGERS = 8 * MAX_TENSORS;

/** A tensor of a file, nothing read yet. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  /** The shape as written, where numbers do not hold it: a dimension above 2^53 beside a zero. */
  readonly exactShape?: readonly (number | bigint)[];
  /** Length of its data in bytes. */
  readonly bytes: number;
  /** Where its data begins, in bytes from the beginning of the file. */
  readonly offset: number;
}

/** A parsed safetensors header. */
export interface Header {
  /** In the order of the header. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Where tensor data begins. */
  readonly dataStart: number;
}

type Exact = number | bigint;

/** An entry as written; once all are checked it becomes a `TensorInfo` in place, as copies of a million cost half the time. */
interface RawEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  shape: Exact[];
  exactShape?: Exact[];
  /** First the begin of its data as written, then `TensorInfo.offset`. */
  offset: Exact;
  /** First the end of its data as written, then `TensorInfo.bytes`. */
  bytes: Exact;
}

const KINDS = { utf8: "header-utf8", json: "header-json" } as const;
/** Of the length field. */
const LENGTH_BYTES = 8;

/**
 * The length of the JSON text, from the first 8 bytes of a file, or all of a shorter one.
 * @throws FormatError kinds `header-too-small`, `header-too-large`, `header-truncated`
 */
export function headerLength(first: Uint8Array, fileSize: number, file: string): number {
  const fail = (kind: WeftErrorKind<"format">, message: string): Error =>
    formatError(kind, file, message, undefined, "not a safetensors file, or its download was cut");
  if (fileSize < LENGTH_BYTES) throw fail("header-too-small", `${fileSize} bytes are too few for a safetensors file`);
  const length = new DataView(first.buffer, first.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    throw fail("header-too-large", `the header claims ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`);
  if (Number(length) > fileSize - LENGTH_BYTES)
    throw fail("header-truncated", `the header claims ${length} bytes, the file has ${fileSize - LENGTH_BYTES}`);
  return Number(length);
}

/** Reads and checks the JSON text of a header against the size of its file, with the reference's checks in its order. */
export function parseHeader(json: Uint8Array, fileSize: number, file: string): Header {
  const scanner = new JsonScanner(json, KINDS, file, LENGTH_BYTES);
  const { entries, metadata } = scanEntries(scanner, file);
  const dataStart = LENGTH_BYTES + json.byteLength;
  return { tensors: checkLayout(entries, fileSize - dataStart, dataStart, file), metadata, dataStart };
}

/** Throws unless the next value is of a kind, named by its first character. If it is no JSON at all, that comes first. */
type Demand = (kind: keyof typeof VALUES, what: string, tensor?: string) => void;
const VALUES = { "{": "an object", "[": "an array", '"': "a string" } as const;

function scanEntries(scanner: JsonScanner, file: string): { entries: Map<string, RawEntry>; metadata: Map<string, string> } {
  const demand: Demand = (kind, what, tensor) => {
    if (scanner.peek() === kind) return;
    scanner.value(3, false);
    throw formatError("header-schema", file, `${what} must be ${VALUES[kind]}`, tensor);
  };
  const limit = (count: number, most: number): void => {
    if (count >= most) throw formatError("limit", file, `more than ${most} entries`);
  };
  let integers = 0;
  const countInteger = (): void => limit(integers++, MAX_INTEGERS);
  demand("{", "the header");
  const entries = new Map<string, RawEntry>();
  let metadata: Map<string, string> | undefined;
  const scanMetadata = (): void => {
    const map = (metadata = new Map<string, string>());
    demand("{", "__metadata__");
    scanner.object(
      (key) => {
        limit(map.size, MAX_TENSORS);
        demand('"', `__metadata__ ${show(key)}`);
        map.set(key, scanner.string());
      },
      (key) => map.has(key),
    );
  };
  scanner.object(
    (name) => {
      if (name === "__metadata__") return scanMetadata();
      limit(entries.size, MAX_TENSORS);
      entries.set(name, scanEntry(scanner, name, file, demand, countInteger));
    },
    (name) => (name === "__metadata__" ? metadata !== undefined : entries.has(name)),
  );
  scanner.end();
  return { entries, metadata: metadata ?? new Map() };
}

function scanEntry(scanner: JsonScanner, name: string, file: string, demand: Demand, countInteger: () => void): RawEntry {
  const schema = (message: string): Error => formatError("header-schema", file, message, name);
  demand("{", "its entry", name);
  const integers = (what: string): Exact[] => {
    demand("[", what, name);
    const list: Exact[] = [];
    scanner.array(() => {
      countInteger();
      const value = scanner.unsigned();
      if (value === undefined) throw schema(`${what} must hold integers from 0 to 2^64-1`);
      list.push(value);
    });
    // No longer than needed: an array that grew holds room for 17.
    return list.slice();
  };
  let dtype: SafetensorsDType | undefined;
  let shape: Exact[] | undefined;
  let offsets: Exact[] | undefined;
  scanner.object((field) => {
    if (field === "dtype") {
      demand('"', field, name);
      const text = scanner.string();
      dtype = parseDType(text);
      if (!dtype) throw schema(`dtype ${show(text)} is unknown`);
    } else if (field === "shape") shape = integers(field);
    else if (field === "data_offsets") offsets = integers(field);
    else scanner.value(3, false);
  });
  if (!dtype || !shape || offsets?.length !== 2)
    throw schema(`${!dtype ? "dtype" : !shape ? "shape" : "a pair of data_offsets"} is missing`);
  return { name, dtype, shape, bytes: offsets[1]!, offset: offsets[0]! };
}

const U64_END = 2n ** 64n;

/** Elements and bits by running products that must stay below 2^64; a zero first makes any later dimension harmless, as in the reference. */
function sizeInBits(shape: readonly Exact[], dtype: SafetensorsDType): Exact | undefined {
  let count: Exact = 1;
  for (let i = 0; i <= shape.length; i++) {
    const factor: Exact = i < shape.length ? shape[i]! : bitsPerElement(dtype);
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

/** Exact, in numbers where both are. */
function difference(a: Exact, b: Exact): Exact {
  return typeof a === "number" && typeof b === "number" ? a - b : BigInt(a) - BigInt(b);
}

/** By begin, then end; comparisons between number and bigint are exact. */
function compare(a: RawEntry, b: RawEntry): number {
  return a.offset < b.offset ? -1 : a.offset > b.offset ? 1 : a.bytes < b.bytes ? -1 : a.bytes > b.bytes ? 1 : 0;
}

function checkLayout(
  entries: ReadonlyMap<string, RawEntry>,
  dataBytes: number,
  dataStart: number,
  file: string,
): ReadonlyMap<string, TensorInfo> {
  let previous: Exact = 0;
  for (const { name, dtype, shape, offset: begin, bytes: end } of [...entries.values()].sort(compare)) {
    if (begin != previous || begin > end)
      throw formatError("offsets", file, `its data lies at ${begin}–${end}, expected to begin at ${previous}`, name);
    const bits = sizeInBits(shape, dtype);
    const fail = (kind: WeftErrorKind<"format">, rest: string): Error =>
      formatError(kind, file, `shape ${showShape(shape)} of ${dtype} takes ${rest}`, name);
    if (bits === undefined) throw fail("overflow", "more than 2^64 bits");
    const [rest, bytes] = typeof bits === "number" ? [bits % 8, bits / 8] : [bits % 8n, bits / 8n];
    const length = difference(end, begin);
    if (rest != 0) throw fail("sub-byte", `${bits} bits, not whole bytes`);
    if (bytes != length) throw fail("size-mismatch", `${bytes} bytes, its data is ${length}`);
    previous = end;
  }
  if (previous > dataBytes) throw formatError("data-truncated", file, `tensors take ${previous} bytes, the file has ${dataBytes}`);
  if (previous < dataBytes) throw formatError("trailing-data", file, `${difference(dataBytes, previous)} bytes follow the last tensor`);
  // Everything lies inside the file now, so offsets are exact numbers; of dimensions, only those beside a zero may not be.
  for (const entry of entries.values()) {
    entry.bytes = Number(entry.bytes) - Number(entry.offset);
    entry.offset = dataStart + Number(entry.offset);
    if (entry.shape.every((d) => typeof d === "number")) continue;
    entry.exactShape = entry.shape;
    entry.shape = entry.shape.map(Number);
  }
  return entries as ReadonlyMap<string, TensorInfo>;
}
