import type { BlockwiseModel, MatrixShape } from "@weft/tensor-core";
import type { QuantizedWeight } from "../quant-format.js";
import { blockStatistics } from "./calibrate.js";
import { gptqFormat, type QuantizeGPTQOptions, quantizeWeightGPTQ } from "./quantize-weight-gptq.js";
import { assertFit, floatsOf, layersByPath, type QuantizedModel, type QuantizeModelOptions, standIn } from "./quantized-model.js";
import type { Samples } from "./samples.js";
import { walkBlocks, type WalkOptions } from "./walk.js";

export interface QuantizeModelGPTQOptions extends QuantizeGPTQOptions, QuantizeModelOptions, WalkOptions {
  /** Within a block, layers see what their quantised predecessors give (q, k, v; o; gate, up; down); else all of them see what the block as it was gives. Default true. */
  readonly trueSequential?: boolean;
}

/**
 * Quantises the linear layers of a model's blocks with GPTQ. Every block sees what the quantised blocks before it give. `losses`: mean of ‖x·(Ŵ - W)ᵀ‖² over the tokens.
 * The sum Σ x·xᵀ of one input (of a block's, without `trueSequential`) is held at a time.
 * @throws as `quantizeWeightGPTQ` and `calibrate`
 * @see AutoGPTQ `modeling/_base.py` quantize
 */
export async function quantizeGPTQ(
  model: BlockwiseModel,
  samples: Samples,
  { trueSequential = true, skip, onLayer, device, keepStates, signal, onProgress, ...options }: QuantizeModelGPTQOptions = {},
): Promise<QuantizedModel> {
  const layers = layersByPath(model);
  assertFit(model, gptqFormat(options), layers, skip);
  const weights = new Map<string, QuantizedWeight>();
  const losses = new Map<string, number>();
  const walk: WalkOptions = { ...(device && { device }), ...(keepStates !== undefined && { keepStates }), signal, onProgress };
  await walkBlocks(model, samples, walk, true, async (block) => {
    const shared = model
      .sharedInputs(block.index)
      .map((one) => ({ ...one, layers: one.layers.filter((path) => !skip?.(path)) }))
      .filter(({ layers: left }) => left.length > 0);
    for (const together of trueSequential ? shared.map((one) => [one]) : [shared]) {
      const statistics = await blockStatistics(model, block, together);
      for (const { layers: paths } of together)
        for (const path of paths) {
          const { weight: original } = layers.get(path)!.base;
          const { weight, loss } = quantizeWeightGPTQ(
            await floatsOf(original),
            original.shape as MatrixShape,
            statistics.get(paths[0]!)!,
            options,
          );
          weights.set(path, weight);
          losses.set(path, loss);
          block.replaced.set(path, await standIn(weight, original, device));
          await onLayer?.(path, weight, loss);
        }
    }
  });
  return { weights, parameters: new Map(), losses };
}
