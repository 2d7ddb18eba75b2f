import { show } from "@weft/io-safetensors";
import { FormatError, type WeftErrorKind } from "@weft/tensor-core";

/** Where in a file something is wrong. */
export interface Place {
  readonly file?: string;
  readonly tensor?: string;
  readonly key?: string;
  readonly byte?: number;
  readonly hint?: string;
}

/** A FormatError that names file, tensor or key, and byte. */
export function ggufError(kind: WeftErrorKind<"format">, message: string, { file, tensor, key, byte, hint }: Place = {}): FormatError {
  const where = [
    file,
    tensor !== undefined ? `tensor ${show(tensor)}` : undefined,
    key !== undefined ? `key ${show(key)}` : undefined,
    byte !== undefined ? `byte ${byte}` : undefined,
  ].filter((part) => part !== undefined);
  return new FormatError(`${where.map((part) => `${part}: `).join("")}${message}`, {
    kind,
    ...(file !== undefined && { file }),
    ...(tensor !== undefined && { tensor }),
    ...(byte !== undefined && { byte }),
    ...(hint !== undefined && { hint }),
  });
}

export const noSuchTensor = (file: string, tensor: string): FormatError =>
  ggufError("no-such-tensor", "there is no such tensor", { file, tensor });
