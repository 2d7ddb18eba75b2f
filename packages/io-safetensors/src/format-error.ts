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

/** A FormatError that names the file, the tensor and what is wrong with them. */
export function formatError(kind: WeftErrorKind<"format">, file: string, message: string, tensor?: string, hint?: string): FormatError {
  return new FormatError(`${file}: ${tensor === undefined ? "" : `tensor ${show(tensor)}: `}${message}`, {
    kind,
    file,
    ...(tensor !== undefined && { tensor }),
    ...(hint !== undefined && { hint }),
  });
}
