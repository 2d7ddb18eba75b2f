import { CapabilityError, FormatError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";

/** Fields of a `config.json`. */
export type Json = { readonly [field: string]: unknown };

/** The shortest decimal number that is this number of f32. */
export function fromF32(x: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(x.toPrecision(digits));
    if (Math.fround(short) === x) return short;
  }
  return Number(x.toPrecision(9));
}

/** Reads metadata of a file; errors name the key. */
export class Metadata {
  readonly architecture: string;

  constructor(readonly file: GgufFile) {
    this.architecture = String(file.metadata.get("general.architecture")?.value);
  }

  /** A value under the architecture's prefix, if it is there. */
  value(key: string): unknown {
    return this.file.metadata.get(`${this.architecture}.${key}`)?.value;
  }

  /** A number under the whole of its key, if it is there. */
  optional(key: string): number | undefined {
    const value = this.file.metadata.get(key)?.value;
    return typeof value === "number" ? value : typeof value === "bigint" ? Number(value) : undefined;
  }

  /** A number under the architecture's prefix, if it is there. */
  own(key: string): number | undefined {
    return this.optional(`${this.architecture}.${key}`);
  }

  /** A number of f32 under the architecture's prefix, if it is there. */
  float(key: string): number | undefined {
    const value = this.own(key);
    return value === undefined ? undefined : fromF32(value);
  }

  /** A number under the architecture's prefix. @throws FormatError kind `key` */
  number(key: string): number {
    const value = this.own(key);
    if (value !== undefined) return value;
    const { location: file } = this.file;
    throw new FormatError(`${file}: metadata ${this.architecture}.${key} is missing or no number`, { kind: "key", file });
  }

  has(tensor: string): boolean {
    return this.file.tensors.has(tensor);
  }

  /** Rows of the embedding. */
  get vocabulary(): number {
    return this.file.tensors.get("token_embd.weight")?.shape[0] ?? this.number("vocab_size");
  }

  /** Whether the output layer is the embedding. */
  get tied(): boolean {
    return !this.has("output.weight");
  }

  refusal(what: string): CapabilityError {
    const { location: file } = this.file;
    return new CapabilityError(`${file}: ${what}`, {
      kind: "unsupported-model",
      file,
      hint: "start from the checkpoint that the file was made of",
    });
  }
}
