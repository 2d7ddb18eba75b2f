import type { WeftErrorKind } from "@weft/tensor-core";
import type { SafetensorsDType } from "./dtypes.js";
import { formatError, showShape } from "./format-error.js";
import type { TensorInfo } from "./header.js";

/** A tensor's data: raw little-endian bytes, row-major. */
export interface TensorView {
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/** Rows `start … stop-1` of the first axis. */
export type RowRange = readonly [start: number, stop: number];

/** Anything that tensors are read from: a file, a folder of shards, a Blob, a URL, memory. Whoever gives these can be merged, compared, converted. */
export interface WeightSource {
  /** What messages call it: a path, a URL, a file's name. */
  readonly location: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** Things a user should be told once (a wrong `total_size`). */
  readonly warnings: readonly string[];
  names(): Iterable<string>;
  has(name: string): boolean;
  /** @throws FormatError kind `no-such-tensor` */
  info(name: string): LocatedTensor;
  /** The data of a tensor, or of some of its rows. */
  read(name: string, rows?: RowRange): Promise<TensorView>;
  close(): Promise<void>;
}

/** Where a tensor lies. */
export interface LocatedTensor extends TensorInfo {
  /** The file that holds it. */
  readonly file: string;
}

/** Random access to bytes: what every kind of file comes down to. */
export interface ByteSource {
  readonly location: string;
  readonly size: number;
  /** Exactly `length` bytes from `offset`, freshly allocated. */
  read(offset: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** The bytes of some rows within the data of a tensor of any file. @throws FormatError kind `rows` if they leave the tensor or are not whole bytes */
export function rowBytes(
  info: Pick<LocatedTensor, "name" | "file" | "shape" | "bytes">,
  rows: RowRange | undefined,
): { readonly start: number; readonly length: number; readonly shape: readonly number[] } {
  if (!rows) return { start: 0, length: info.bytes, shape: info.shape };
  const [start, stop] = rows;
  const [count, ...rest] = info.shape;
  const inside = count !== undefined && Number.isInteger(start) && Number.isInteger(stop) && start >= 0 && stop >= start && stop <= count;
  if (!inside) throw formatError("rows", info.file, `rows ${start}–${stop} leave its shape ${showShape(info.shape)}`, info.name);
  const each = count === 0 ? 0 : info.bytes / count;
  if (!Number.isInteger(each)) throw formatError("rows", info.file, `one of its ${count} rows is not whole bytes`, info.name);
  return { start: start * each, length: (stop - start) * each, shape: [stop - start, ...rest] };
}

/** Suggests how to turn a pickle into safetensors. */
const CONVERT =
  "convert it where it comes from: python -c \"import torch, safetensors.torch as s; s.save_file(torch.load('in.bin', weights_only=True), 'out.safetensors')\"";

const FETCH = "download the file itself (hf download); a page comes where access needs a login";

/**
 * Refuses what is certainly something else, by its first bytes: pickles (a program that runs when loaded), Git LFS pointers, web pages, GGUF.
 * @throws FormatError kinds `unsupported-pickle`, `git-lfs-pointer`, `html`, `unsupported-gguf`
 */
export function refuseForeign(first: Uint8Array, file: string): void {
  const text = String.fromCharCode(...first.subarray(0, 32));
  const fail = (kind: WeftErrorKind<"format">, message: string, hint?: string): Error => formatError(kind, file, message, undefined, hint);
  // Protocol 2 and later begin with 0x80; torch's zip archives with PK; protocol 0 and 1 have no mark.
  const length = first.byteLength >= 8 ? new DataView(first.buffer, first.byteOffset).getBigUint64(0, true) : 0n;
  const pickle = (first[0] === 0x80 && (first[1] ?? 0) <= 5 && length > 100_000_000n) || text.startsWith("PK\u0003\u0004");
  if (pickle) throw fail("unsupported-pickle", "this is a pickle, not safetensors; loading one runs the program inside it", CONVERT);
  if (text.startsWith("version https://git-lfs"))
    throw fail("git-lfs-pointer", "this is a Git LFS pointer, not the file itself", "fetch the content with: git lfs pull");
  if (/^\s*<(!doctype|html)/i.test(text))
    throw fail("html", "this is an HTML page, not safetensors: a web page was saved in the place of the file", FETCH);
  if (text.startsWith("GGUF")) throw fail("unsupported-gguf", "this is GGUF, not safetensors", "programs open it with @weft/io-gguf");
}
