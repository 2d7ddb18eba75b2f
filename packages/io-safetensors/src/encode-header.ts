import { dtypeHint, FormatError, type WeftErrorKind } from "@weft/tensor-core";
import { bitsPerElement, parseDType, SAFETENSORS_DTYPES, type SafetensorsDType } from "./dtypes.js";
import { show, showShape } from "./format-error.js";
import { MAX_HEADER_BYTES, MAX_TENSORS } from "./header.js";

/** A tensor to be written. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
}

/** A tensor with its place in the file to be. */
export interface PlacedTensor extends TensorEntry {
  readonly bytes: number;
  /** From the beginning of the file. */
  readonly offset: number;
}

/** A file before its data is written. */
export interface FileLayout {
  /** The length field and the JSON text, padded. */
  readonly header: Uint8Array;
  /** In the order of the file. */
  readonly tensors: readonly PlacedTensor[];
  /** Size of the whole file in bytes. */
  readonly size: number;
}

/**
 * Bytes of a tensor's data.
 * @throws FormatError kinds `header-schema` (dtype or shape are none), `overflow` (beyond exact numbers), `sub-byte` (not whole bytes)
 */
export function tensorBytes({ name, dtype, shape }: TensorEntry): number {
  const fail = (kind: WeftErrorKind<"format">, message: string, hint?: string): FormatError =>
    new FormatError(`tensor ${show(name)}: ${message}`, { kind, tensor: name, ...(hint !== undefined && { hint }) });
  if (parseDType(dtype) === undefined)
    throw fail("header-schema", `dtype ${show(String(dtype))} is unknown`, dtypeHint(String(dtype), SAFETENSORS_DTYPES));
  let bits = bitsPerElement(dtype);
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0)
      throw fail("header-schema", `shape ${showShape(shape)} must hold integers from 0`);
    bits *= dimension;
    if (bits > Number.MAX_SAFE_INTEGER) throw fail("overflow", `shape ${showShape(shape)} of ${dtype} takes more than 2^53 bits`);
  }
  if (bits % 8 !== 0) throw fail("sub-byte", `shape ${showShape(shape)} of ${dtype} takes ${bits} bits, not whole bytes`);
  return bits / 8;
}

/** The tensors by name. @throws FormatError kind `duplicate-key` */
export function byName<T extends TensorEntry>(tensors: Iterable<T>): Map<string, T> {
  const map = new Map<string, T>();
  for (const tensor of tensors) {
    if (map.has(tensor.name))
      throw new FormatError(`tensor ${show(tensor.name)} is given twice`, { kind: "duplicate-key", tensor: tensor.name });
    map.set(tensor.name, tensor);
  }
  return map;
}

/** A string of the header. @throws FormatError kind `header-utf8` for half a surrogate pair, which UTF-8 cannot hold */
function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new FormatError(`${show(text)} holds a surrogate that stands alone`, { kind: "header-utf8" });
  return JSON.stringify(text);
}

/**
 * Lays a file out as the reference does, so that the same tensors give the same bytes: wide dtypes first, then by name; compact JSON, metadata
 * first, padded with spaces to 8 bytes. Several entries of metadata are sorted by name; the reference writes them in an order that changes from
 * run to run.
 * @throws FormatError kinds of `tensorBytes`, `duplicate-key`, `header-schema`, `header-utf8`, `header-too-large`, `limit`: what no reader would take
 * @see safetensors `src/tensor.rs` prepare
 */
export function layoutFile(entries: Iterable<TensorEntry>, metadata: ReadonlyMap<string, string> = new Map()): FileLayout {
  const rank = (dtype: SafetensorsDType): number => SAFETENSORS_DTYPES.indexOf(dtype);
  const unique = byName(entries);
  if (unique.has("__metadata__")) throw new FormatError("no tensor can be called __metadata__", { kind: "header-schema" });
  if (unique.size > MAX_TENSORS || metadata.size > MAX_TENSORS)
    throw new FormatError(`more than ${MAX_TENSORS} tensors or entries of metadata`, { kind: "limit", hint: "write more, smaller shards" });
  const sorted = [...unique.values()].sort((a, b) => rank(b.dtype) - rank(a.dtype) || compareCodePoints(a.name, b.name));
  const parts: string[] = [];
  if (metadata.size > 0)
    parts.push(
      `"__metadata__":{${[...metadata]
        .sort(([a], [b]) => compareCodePoints(a, b))
        .map(([k, v]) => `${quote(k)}:${quote(v)}`)
        .join(",")}}`,
    );
  let at = 0;
  const placed = sorted.map((entry) => {
    const bytes = tensorBytes(entry);
    const begin = at;
    at += bytes;
    parts.push(`${quote(entry.name)}:{"dtype":"${entry.dtype}","shape":[${entry.shape}],"data_offsets":[${begin},${at}]}`);
    return { ...entry, bytes, offset: begin };
  });
  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const length = Math.ceil(json.byteLength / 8) * 8;
  if (length > MAX_HEADER_BYTES)
    throw new FormatError(`the header would take ${length} bytes, at most ${MAX_HEADER_BYTES} are allowed`, {
      kind: "header-too-large",
      hint: "write more, smaller shards",
    });
  const header = new Uint8Array(8 + length).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(length), true);
  header.set(json, 8);
  return { header, tensors: placed.map((t) => ({ ...t, offset: t.offset + header.byteLength })), size: header.byteLength + at };
}

/** The order of UTF-8 and of Python: by code points, where JavaScript compares halves of surrogate pairs. */
export function compareCodePoints(a: string, b: string): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    // Where two strings part, both points are read whole: their first halves are the same, or tell.
    if (a[i] !== b[i]) return a.codePointAt(i)! - b.codePointAt(i)!;
  }
  return a.length - b.length;
}
