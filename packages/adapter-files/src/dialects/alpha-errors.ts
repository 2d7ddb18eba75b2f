import { ConfigError, FormatError } from "@weft/tensor-core";
import type { WeightSource } from "@weft/io-safetensors";

/** An alpha for an adapter that has its own. */
export const alphaKnown = (file: string): ConfigError =>
  new ConfigError(`${file}: alpha is given, but the adapter says its own`, {
    kind: "alpha-known",
    file,
    hint: "leave --alpha out; a factor behind the path (adapter:0.5) changes the strength",
  });

/** Keys of a program that keeps rank and alpha in a config, without the config. */
export const missingConfig = (weights: WeightSource, whose: string, what: string): FormatError =>
  new FormatError(`${weights.location}: these are ${whose}, but the adapter_config.json that says ${what} is not beside it`, {
    kind: "missing-config",
    file: weights.location,
    hint: "put the adapter_config.json into the same folder, or give alpha with --alpha",
  });
