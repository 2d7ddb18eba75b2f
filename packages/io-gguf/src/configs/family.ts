import type { Config, Described } from "./read-config.js";
import type { Json, Metadata } from "./read-metadata.js";

/** How a `config.json` of transformers and the metadata of GGUF files follow from one another. */
export interface Family {
  /** `general.architecture`. */
  readonly architecture: string;
  /** `model_type`s that are written as it; the first is the one that it is read as. */
  readonly modelTypes: readonly string[];
  /** transformers' class. */
  readonly className: string;
  /** The config's fields, without names of the model and tokens. */
  config(read: Metadata): Json | Promise<Json>;
  /** The metadata. @throws CapabilityError kind `unsupported-model` for what no GGUF file of the model says; ConfigError kind `config-schema` */
  describe(config: Config): Described;
}
