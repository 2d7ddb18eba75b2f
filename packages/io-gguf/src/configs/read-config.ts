import { CapabilityError, ConfigError } from "@weft/tensor-core";
import type { GgufValue } from "../values.js";
import type { Json } from "./read-metadata.js";

export const u32 = (value: number): GgufValue => ({ type: "u32", value });
export const f32 = (value: number): GgufValue => ({ type: "f32", value });
export const text = (value: string): GgufValue => ({ type: "string", value });

/** Entries of metadata under the architecture's prefix, by keys without it. */
export type Entries = readonly (readonly [key: string, value: GgufValue])[];

/** A vector that a GGUF file has and a checkpoint has not. */
export interface OwnTensor {
  readonly name: string;
  readonly values: readonly number[];
}

/** What a GGUF file says of a model. */
export interface Described {
  readonly entries: Entries;
  readonly tensors?: readonly OwnTensor[];
}

/** Reads fields of a `config.json`; errors name the field. */
export class Config {
  /** @param file what messages call it */
  constructor(
    readonly json: Json,
    readonly file: string,
  ) {}

  /** A number; that of the class of transformers where the field is not there. @throws ConfigError kind `config-schema` */
  number(key: string, otherwise?: number): number {
    const value = this.json[key] ?? otherwise;
    if (typeof value === "number") return value;
    const { file } = this;
    throw new ConfigError(`${file}: ${key} is ${value === undefined ? "missing" : JSON.stringify(value)}, expected a number`, {
      kind: "config-schema",
      file,
    });
  }

  /** A number, if it is there and not null. */
  optional(key: string): number | undefined {
    return typeof this.json[key] === "number" ? this.json[key] : undefined;
  }

  /** @throws CapabilityError kind `unsupported-model` unless the field is this, or missing: programs that read GGUF files take it for granted */
  same(key: string, only: unknown): void {
    const value = this.json[key] ?? only;
    if (value !== only)
      throw this.refusal(`${key} is ${JSON.stringify(value)}, and GGUF files of the model stand for ${JSON.stringify(only)}`);
  }

  /** The same with other fields. */
  with(fields: Json): Config {
    return new Config({ ...this.json, ...fields }, this.file);
  }

  refusal(what: string): CapabilityError {
    const { file } = this;
    return new CapabilityError(`${file}: ${what}`, { kind: "unsupported-model", file });
  }
}
