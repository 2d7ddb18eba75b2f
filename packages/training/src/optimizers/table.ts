import { ConfigError } from "@weft/tensor-core";
import { ADAFACTOR } from "./adafactor.js";
import { ADAM } from "./adam.js";
import { ADAMW_8BIT } from "./adamw-8bit.js";
import { ADAMW } from "./adamw.js";
import { LION_8BIT } from "./lion-8bit.js";
import { LION } from "./lion.js";
import { MUON } from "./muon.js";
import type { Hyper, Optimizer } from "./optimizer.js";
import { SGD } from "./sgd.js";
import { TORCH_ADAFACTOR } from "./torch-adafactor.js";

/** A name of an optimiser: transformers' `optim`, where it has one. */
export type OptimizerName =
  | "adamw_torch"
  | "adam"
  | "sgd"
  | "adafactor"
  | "torch_adafactor"
  | "lion_32bit"
  | "muon"
  | "adamw_8bit"
  | "lion_8bit";

/** Optimisers by name. */
export const OPTIMIZERS: { readonly [name in OptimizerName]: Optimizer } = {
  adamw_torch: ADAMW,
  adam: ADAM,
  sgd: SGD,
  adafactor: ADAFACTOR,
  torch_adafactor: TORCH_ADAFACTOR,
  lion_32bit: LION,
  muon: MUON,
  adamw_8bit: ADAMW_8BIT,
  lion_8bit: LION_8BIT,
};

/** An optimiser by name, and its constants with those that are given. @throws ConfigError for an unknown name, an unknown constant, or one of another type */
export function optimizerOf(name: string, given: Partial<Hyper> = {}): { readonly optimizer: Optimizer; readonly hyper: Hyper } {
  if (!Object.hasOwn(OPTIMIZERS, name))
    throw new ConfigError(`optim is "${name}"`, { hint: `one of ${Object.keys(OPTIMIZERS).join(", ")}` });
  const optimizer = OPTIMIZERS[name as OptimizerName];
  for (const [key, value] of Object.entries(given)) {
    if (!Object.hasOwn(optimizer.defaults, key))
      throw new ConfigError(`optimArgs: ${optimizer.name} has no ${key}`, { hint: `it has ${Object.keys(optimizer.defaults).join(", ")}` });
    const usual = optimizer.defaults[key]!;
    if (value !== null && usual !== null && typeof value !== typeof usual)
      throw new ConfigError(`optimArgs: ${key} of ${optimizer.name} is ${JSON.stringify(value)}, expected a ${typeof usual}`);
  }
  return { optimizer, hyper: { ...optimizer.defaults, ...given } as Hyper };
}
