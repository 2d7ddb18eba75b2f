import { FormatError } from "@weft/tensor-core";
import { bitsPerElement, SAFETENSORS_DTYPES, type SafetensorsDType } from "./dtypes.js";
import { MAX_HEADER_BYTES } from "./header.js";

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

/** Bytes of a tensor's data. @throws FormatError if they are not whole */
export function tensorBytes({ name, dtype, shape }: TensorEntry): number {
  const bits = shape.reduce((a, b) => a * b, bitsPerElement(dtype));
  if (bits % 8 !== 0)
    throw new FormatError(`tensor ${JSON.stringify(name)}: shape [${shape}] of ${dtype} takes ${bits} bits, not whole bytes`, {
      kind: "sub-byte",
      tensor: name,
    });
  return bits / 8;
}

/**
 * Lays a file out as the reference does, so that the same tensors give the same bytes: wide dtypes first, then by name; compact JSON, metadata
 * first, padded with spaces to 8 bytes.
 * @see safetensors `src/tensor.rs` prepare
 */
export function layoutFile(entries: Iterable<TensorEntry>, metadata: ReadonlyMap<string, string> = new Map()): FileLayout {
  const rank = (dtype: SafetensorsDType): number => SAFETENSORS_DTYPES.indexOf(dtype);
  const encoder = new TextEncoder();
  const sorted = [...entries].sort((a, b) => rank(b.dtype) - rank(a.dtype) || compareBytes(encoder.encode(a.name), encoder.encode(b.name)));
  const parts: string[] = [];
  if (metadata.size > 0)
    parts.push(
      `"__metadata__":{${[...metadata]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`)
        .join(",")}}`,
    );
  let at = 0;
  const placed = sorted.map((entry) => {
    const bytes = tensorBytes(entry);
    const begin = at;
    at += bytes;
    parts.push(`${JSON.stringify(entry.name)}:{"dtype":"${entry.dtype}","shape":[${entry.shape}],"data_offsets":[${begin},${at}]}`);
    return { ...entry, bytes, offset: begin };
  });
  const json = encoder.encode(`{${parts.join(",")}}`);
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

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
