import { show } from "@weft/io-safetensors";
import { ConfigError, FormatError, type WeftErrorKind } from "@weft/tensor-core";

/** Where in a file something is wrong. */
export interface Place {
  readonly file?: string | undefined;
  /** Of JSON: `$.model.vocab`; of GGUF metadata: the key. */
  readonly path?: string | undefined;
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A FormatError that names file and place. */
export function tokenizerError(kind: WeftErrorKind<"format">, message: string, { file, path, hint, cause }: Place = {}): FormatError {
  return new FormatError([file, path, message].filter((part) => part !== undefined).join(": "), {
    kind,
    cause,
    ...(file !== undefined && { file }),
    ...(hint !== undefined && { hint }),
  });
}

/** A ConfigError of options that do not go together. */
export const optionError = (message: string, hint?: string): ConfigError =>
  new ConfigError(message, { kind: "tokenizer-option", ...(hint !== undefined && { hint }) });

/** A ConfigError for text that the vocabulary cannot express. */
export const unknownToken = (word: string, why: string): ConfigError =>
  new ConfigError(`${show(word)} is not in the vocabulary, and ${why}`, { kind: "unknown-token" });
