import type { ByteSource } from "@weft/io-safetensors";
import { dataError } from "../data-error.js";
import { MAX_ROW_BYTES } from "../limits.js";

/** Bytes that are read at a time. */
const PIECE = 1 << 20;
const NEWLINE = 10;
const RETURN = 13;

/** The bytes of a file, a piece after the other. */
export async function* piecesOf(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < source.size; at += PIECE) yield await source.read(at, Math.min(PIECE, source.size - at));
}

/** A line without its end, and its number from 1. */
export interface Line {
  readonly bytes: Uint8Array;
  readonly line: number;
}

/** Joins pieces of what is longer than one of them. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.byteLength), 0);
  return whole;
}

/** The lines of a file, which end with \n or \r\n. Memory is that of the longest. @throws FormatError kind `limit` */
export async function* linesOf(source: ByteSource): AsyncGenerator<Line> {
  let open: Uint8Array[] = [];
  let size = 0;
  let line = 1;
  const closed = (): Line => {
    const bytes = joined(open);
    open = [];
    size = 0;
    return { bytes: bytes.at(-1) === RETURN ? bytes.subarray(0, -1) : bytes, line: line++ };
  };
  for await (const piece of piecesOf(source)) {
    let from = 0;
    for (let end = piece.indexOf(NEWLINE); end >= 0; end = piece.indexOf(NEWLINE, from)) {
      open.push(piece.subarray(from, end));
      from = end + 1;
      yield closed();
    }
    open.push(piece.subarray(from));
    size += piece.byteLength - from;
    if (size > MAX_ROW_BYTES) throw dataError("limit", `longer than ${MAX_ROW_BYTES} bytes`, { file: source.location, line });
  }
  if (open.some(({ byteLength }) => byteLength > 0)) yield closed();
}

/** A byte order mark is a matter of files, not of their text. */
export const withoutMark = (bytes: Uint8Array): Uint8Array =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;

/** @throws FormatError kind `dataset-utf8` */
export function textOf(bytes: Uint8Array, file: string, line: number): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw dataError("dataset-utf8", "not UTF-8", { file, line }, { cause, hint: "save the file as UTF-8" });
  }
}
