import { CapabilityError } from "@weft/tensor-core";
import type { ConvertModule } from "../dialects/convert/convert-module.js";
import { asPlainLora } from "../dialects/convert/expand.js";
import { combineAdapters, type CombineOptions } from "../model/combine.js";
import { loraState, moduleKey, modulesOfState } from "./lora-state.js";

/** One adapter of a sum. */
export interface Summand {
  readonly modules: readonly ConvertModule[];
  /** Negative to take away. */
  readonly weight: number;
  /** A further factor by module (block weights); 1 if not given. A module with 0 is left out. */
  readonly blockWeight?: (module: ConvertModule) => number;
}

/**
 * Σ weight·ΔW of adapters of any low-rank method, as one LoRA without a base: LoHa, LoKr and Tucker are converted to LoRA exactly first.
 * `exact`, the default, gives the sum itself, ranks added up; the other types are PEFT's.
 * @throws CapabilityError kind `not-combinable` with the module and the reason; ConfigError as `combineAdapters`
 */
export async function combineModules(summands: readonly Summand[], options: CombineOptions = {}): Promise<ConvertModule[]> {
  const named = new Map<string, ConvertModule>();
  const states = [];
  for (const { modules, blockWeight } of summands) {
    const plain = modules.flatMap((module) => {
      const factor = blockWeight?.(module) ?? 1;
      if (factor === 0) return [];
      const lora = asPlainLora(module);
      if (typeof lora === "string") throw new CapabilityError(`${module.label}: ${lora}`, { kind: "not-combinable", tensor: module.label });
      const key = moduleKey(module);
      named.set(key, named.get(key) ?? lora);
      return [{ ...lora, scale: lora.scale * factor }];
    });
    states.push(await loraState(plain));
  }
  const combined = await combineAdapters(
    states,
    summands.map(({ weight }) => weight),
    options,
  );
  return modulesOfState(combined, named);
}
