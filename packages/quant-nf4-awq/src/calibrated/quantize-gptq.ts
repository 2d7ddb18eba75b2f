import type { BlockwiseModel, MatrixShape } from "@weft/tensor-core";
import type { QuantizedWeight } from "../quant-format.js";
import { blockStatistics } from "./calibrate.js";
import { gptqFactor } from "./gptq-factor.js";
import { gptqFormat, quantizeByFactor, type QuantizeGPTQOptions } from "./quantize-weight-gptq.js";
import {
  assertFit,
  BlockResults,
  layersByPath,
  type QuantizedModel,
  type QuantizeModelOptions,
  standIn,
  weightOf,
} from "./quantized-model.js";
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
  {
    trueSequential = true,
    skip,
    onLayer,
    onBlock,
    known,
    device,
    keepStates,
    releaseWeights,
    signal,
    onProgress,
    ...options
  }: QuantizeModelGPTQOptions = {},
): Promise<QuantizedModel> {
  const layers = layersByPath(model);
  const format = gptqFormat(options);
  assertFit(model, format, layers, skip);
  const results = new BlockResults(onBlock);
  const walk: WalkOptions = {
    ...(device && { device }),
    ...(keepStates !== undefined && { keepStates }),
    ...(releaseWeights !== undefined && { releaseWeights }),
    signal,
    onProgress,
  };
  await walkBlocks(model, samples, walk, true, async (block) => {
    const { index, replaced } = block;
    const replace = async (path: string, weight: QuantizedWeight): Promise<void> =>
      void replaced.set(path, await standIn(weight, layers.get(path)!.base.weight, device));
    const before = await known?.(index);
    if (before) {
      for (const [path, weight] of before) await replace(path, weight);
      return;
    }
    const weights = new Map<string, QuantizedWeight>();
    const losses = new Map<string, number>();
    const shared = model
      .sharedInputs(index)
      .map((one) => ({ ...one, layers: one.layers.filter((path) => !skip?.(path)) }))
      .filter(({ layers: left }) => left.length > 0);
    for (const together of trueSequential ? shared.map((one) => [one]) : [shared]) {
      const statistics = await blockStatistics(block, together);
      for (const { layers: paths } of together) {
        // The sums become their factor, and are not needed any more.
        const factor = gptqFactor(statistics.get(paths[0]!)!, options);
        statistics.delete(paths[0]!);
        for (const path of paths) {
          const { weight: original } = layers.get(path)!.base;
          const { weight, loss } = quantizeByFactor(await weightOf(path, format, original), original.shape as MatrixShape, factor, options);
          weights.set(path, weight);
          losses.set(path, loss);
          await replace(path, weight);
          await onLayer?.(path, loss);
        }
      }
    }
    await results.add({ index, weights, losses, parameters: new Map(), scales: new Map() });
  });
  return results;
}
