import { FormatError, type WeftErrorKind } from "@weft/tensor-core";

/** Longest part of a name or value that a message repeats: a hostile header holds names of 90 MB. */
const MAX_SHOWN = 200;

/** Untrusted text for a message: quoted, control characters escaped, cut short. */
export function show(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}

/** A shape for a message; the format has no limit on ranks. */
export function showShape(shape: readonly (number | bigint)[]): string {
  return `[${shape.slice(0, 16).join(",")}${shape.length > 16 ? `,… (${shape.length})` : ""}]`;
}

/** Where in a file something is wrong. */
export interface Place {
  readonly file?: string | undefined;
  readonly tensor?: string | undefined;
  /** Of metadata. */
  readonly key?: string | undefined;
  readonly byte?: number | undefined;
  readonly hint?: string | undefined;
}

const quoted = (what: string, name: string | undefined): string => (name === undefined ? "" : `${what} ${show(name)}: `);

/** A FormatError that names file, tensor or key, and byte. */
export function errorAt(kind: WeftErrorKind<"format">, message: string, place: Place = {}): FormatError {
  const { file, tensor, key, byte } = place;
  const where = `${file === undefined ? "" : `${file}: `}${quoted("tensor", tensor)}${quoted("key", key)}`;
  return new FormatError(`${where}${byte === undefined ? "" : `byte ${byte}: `}${message}`, { kind, ...place });
}

/** A FormatError that names the file, the tensor and what is wrong with them. */
export const formatError = (kind: WeftErrorKind<"format">, file: string, message: string, tensor?: string, hint?: string): FormatError =>
  errorAt(kind, message, { file, tensor, hint });

/** A file that has no tensor of this name. */
export const noSuchTensor = (tensor: string, file: string): FormatError =>
  errorAt("no-such-tensor", "there is no such tensor", { file, tensor });
