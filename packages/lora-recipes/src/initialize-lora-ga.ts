import { loraGaFactors, withoutFactors } from "@weft/adapters-lora/starts";
import { add, ConfigError, evaluate, gradients, mul, type Tensor, throwIfAborted, torchGenerator } from "@weft/tensor-core";
import { type HookedModel, weightName } from "@weft/registry";
import type { PeftModel } from "@weft/registry";
import { applyStart, type Start } from "./apply-start.js";
import { type StartOptions, startTarget } from "./start.js";

export interface LoraGaOptions extends StartOptions {
  /** Of the components that `direction` "random" draws. */
  readonly seed?: number;
}

/**
 * Gives a LoRA the start of LoRA-GA: factors from the gradients of a loss by the base weights, averaged over some batches (PEFT's `preprocess_loraga`), whose
 * s·B·A leaves the base. `lora_ga_config` in the adapter's config chooses direction and scale.
 * @param loss of the model without adapters, a scalar
 * @throws ConfigError if the adapter is no new, plain LoRA; CapabilityError for layers that are not linear; CancelledError
 */
export async function initializeLoraGaWeights<I, O, B>(
  peft: PeftModel<I, O>,
  loss: (model: HookedModel<I, O>, batch: B) => Tensor,
  batches: Iterable<B>,
  options: LoraGaOptions = {},
): Promise<void> {
  const target = startTarget(peft as never, "LoRA-GA", options);
  const weights = target.layers.map(({ base }) => base.weight);
  let sums: Tensor[] | undefined;
  let count = 0;
  for (const batch of batches) {
    throwIfAborted(options.signal);
    count++;
    const found = gradients(loss(peft.baseModel, batch), weights);
    sums = sums ? sums.map((sum, i) => add(sum, found[i]!)) : [...found];
    await evaluate(...sums);
  }
  if (!sums) throw new ConfigError("LoRA-GA needs at least one batch");
  const generator = torchGenerator(options.seed ?? 0);
  const starts = new Map<string, Start>();
  for (const [i, found] of target.layers.entries()) {
    throwIfAborted(options.signal);
    const { path, layer, base, config } = found;
    const gradient = mul(sums[i]!, 1 / count);
    if (!((await gradient.data()) as Float32Array).some((v) => v !== 0))
      throw new ConfigError(`LoRA-GA: the loss does not depend on ${weightName(found)}`, { tensor: path });
    const factors = await loraGaFactors(config, layer, base.weight, gradient, generator);
    starts.set(path, { factors, weight: withoutFactors(base.weight, factors, config, layer) });
    options.onProgress?.(starts.size, target.layers.length);
  }
  applyStart(peft as never, target, starts, { initLoraWeights: "lora_ga" }, true);
}
