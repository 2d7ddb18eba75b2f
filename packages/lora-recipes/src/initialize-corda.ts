import { cordaFactors, withoutFactors } from "@weft/adapters-lora/starts";
import { abs, add, cast, ConfigError, div, evaluate, matmul, max, swapLast, type Tensor, throwIfAborted } from "@weft/tensor-core";
import { matrix } from "@weft/tensor-core/linalg";
import type { PeftModel } from "@weft/registry";
import { applyStart, type Start } from "./apply-start.js";
import { recordInputs, type StartOptions, startTarget } from "./start.js";

/**
 * Gives a LoRA the start of CorDA: factors and base from the weight seen through the covariance of each layer's inputs over some batches (PEFT's
 * `preprocess_corda`). `corda_config` in the adapter's config chooses `ipm` or `kpm`.
 * @throws ConfigError if the adapter is no new, plain LoRA, or inputs are not finite; CapabilityError for layers that are not linear; CancelledError
 */
export async function initializeLoraCordaWeights<I>(
  peft: PeftModel<I, unknown>,
  batches: Iterable<I>,
  options: StartOptions = {},
): Promise<void> {
  const target = startTarget(peft as never, "CorDA", options);
  const paths = new Set(target.layers.map(({ path }) => path));
  const sums = new Map<string, Tensor>();
  let count = 0;
  for (const inputs of batches) {
    throwIfAborted(options.signal);
    count++;
    for (const [path, x] of await recordInputs(peft.baseModel, inputs, paths)) {
      // PEFT divides by the magnitude of the largest value, not by the largest magnitude.
      const rows = div(cast(x, "f32"), abs(max(cast(x, "f32"))));
      const covariance = matmul(swapLast(rows), rows);
      const before = sums.get(path);
      sums.set(path, before ? add(before, covariance) : covariance);
    }
    await evaluate(...sums.values());
  }
  if (count === 0) throw new ConfigError("CorDA needs at least one batch of inputs");
  const starts = new Map<string, Start>();
  for (const { path, layer, base, config } of target.layers) {
    throwIfAborted(options.signal);
    const sum = sums.get(path)!;
    const values = Float64Array.from((await sum.data()) as Float32Array, (v) => v / count);
    if (!values.every(Number.isFinite)) throw new ConfigError(`CorDA: the inputs of ${path} are not finite`, { tensor: path });
    const factors = await cordaFactors(config, layer, base.weight, matrix(sum.shape[0]!, sum.shape[1]!, values));
    starts.set(path, { factors, weight: withoutFactors(base.weight, factors, config, layer) });
    options.onProgress?.(starts.size, target.layers.length);
  }
  applyStart(peft as never, target, starts, { initLoraWeights: "corda" }, true);
}
