import {
  type BlockwiseModel,
  cast,
  type Device,
  evaluate,
  type MatrixShape,
  mul,
  referenceDevice,
  type SharedInput,
  sub,
  sum,
  type Tensor,
} from "@weft/tensor-core";
import { upperRow } from "@weft/tensor-core/linalg";
import { awq } from "../integer/awq.js";
import { quantize, type QuantizedWeight } from "../quant-format.js";
import { type AwqSearchOptions, scaleColumns, type ScaleSearch, searchClip, searchScales } from "./awq-search.js";
import { blockStatistics } from "./calibrate.js";
import { KeptSamples, type OpenStore } from "./kept-samples.js";
import {
  assertFit,
  BlockResults,
  floatsOf,
  layersByPath,
  type QuantizedModel,
  type QuantizeModelOptions,
  weightOf,
} from "./quantized-model.js";
import type { InputStatistics } from "./input-statistics.js";
import type { Samples } from "./samples.js";
import { type BlockVisit, type LayersByPath, runWatched, walkBlocks, type WalkOptions } from "./walk.js";

export interface QuantizeAWQOptions extends Partial<AwqSearchOptions>, QuantizeModelOptions, WalkOptions {
  /** Limit groups to where rounding them hurts least, in all layers but those whose results are compared with each other (`unclipped`). Default true. */
  readonly clip?: boolean;
  /** Layers that are not limited. Default: those that AutoAWQ leaves out, whose names contain `q_`, `k_`, `query`, `key` or `Wqkv`. */
  readonly unclipped?: (path: string) => boolean;
}

const COMPARED = /q_|k_|query|key|Wqkv/;
const lastName = (path: string): string => path.slice(path.lastIndexOf(".") + 1);

/** Parameters of a block while it is quantised, f32 by name. */
type Parameters = Map<string, Float32Array>;

/** The mean squared change of the result of `shared.result` when weights stand in for those of its layers. */
async function lossOf(
  model: BlockwiseModel,
  { index, each }: BlockVisit,
  shared: SharedInput,
  layers: LayersByPath,
  device: Device,
  store: OpenStore | undefined,
): Promise<{ readonly loss: (stacked: Float32Array) => Promise<number>; readonly close: () => Promise<void> }> {
  const results = new Set([shared.result]);
  const run = (hidden: Tensor, replaced: ReadonlyMap<string, Tensor>): Tensor => {
    let result: Tensor | undefined;
    runWatched(
      model,
      index,
      hidden,
      replaced,
      (path, _, y) => {
        if (path === shared.result) result = cast(y!, "f32");
      },
      results,
    );
    return result!;
  };
  const before = new KeptSamples(store, device);
  await each(async (hidden, sample) => {
    const y = run(hidden, new Map());
    await evaluate(y);
    await before.put(sample, y);
  });
  const loss = async (stacked: Float32Array): Promise<number> => {
    const replaced = new Map<string, Tensor>();
    let from = 0;
    for (const path of shared.layers) {
      const { weight } = layers.get(path)!.base;
      replaced.set(path, cast(device.tensor(stacked.subarray(from, (from += weight.size)), { shape: weight.shape }), weight.dtype));
    }
    let [squares, numbers] = [0, 0];
    await each(async (hidden, sample) => {
      await before.use(sample, async (y) => {
        const change = sub(run(hidden, replaced), y);
        const total = sum(mul(change, change));
        squares += (await total.data())[0]!;
        numbers += change.size;
        total.dispose();
      });
    });
    for (const t of replaced.values()) t.dispose();
    return squares / numbers;
  };
  return { loss, close: () => before.close() };
}

/** Takes scales out of the module in front, feature by feature: a norm's weight, or the rows of a linear layer, and its bias. */
async function divide(before: string, scales: Float32Array, layers: LayersByPath, changed: Parameters): Promise<void> {
  const { layer, base } = layers.get(before)!;
  for (const [name, t] of [
    ["weight", base.weight],
    ["bias", base.bias],
  ] as const) {
    if (!t) continue;
    const key = `${before}.${name}`;
    const values = changed.get(key) ?? (await floatsOf(t));
    const each = name === "weight" && layer.kind === "linear" ? layer.shape[1]! : 1;
    changed.set(
      key,
      values.map((v, i) => v / scales[Math.floor(i / each)]!),
    );
  }
}

/** The upper half of Σ x·xᵀ of inputs that were divided by scales. */
function dividedGram({ gram, width }: InputStatistics, scales: Float32Array): Float64Array {
  const divided = gram!.slice();
  for (let i = 0; i < width; i++) for (let j = i; j < width; j++) divided[upperRow(width, i) + j]! /= scales[i]! * scales[j]!;
  return divided;
}

/**
 * Quantises the linear layers of a model's blocks with AWQ: for each input, inputs are divided and weights multiplied by scales with which rounding changes the block least, which
 * the module in front takes over; then groups are limited, and rounded. Four bits. Blocks are judged as they were, so that the order does not matter.
 * `parameters` has the norms and biases that took over scales. `losses`: the mean squared change of what the layer's part of the block gives, when its scales were chosen.
 * @throws as `quantize` and `calibrate`
 * @see AutoAWQ `quantize/quantizer.py`
 */
export async function quantizeAWQ(model: BlockwiseModel, samples: Samples, options: QuantizeAWQOptions = {}): Promise<QuantizedModel> {
  const { groupSize = 128, clip = true, unclipped = (path) => COMPARED.test(lastName(path)), skip, onLayer, onBlock, known } = options;
  const { device = referenceDevice(), keepStates, releaseWeights, signal, onProgress, gridSize, duoScaling } = options;
  const store = typeof keepStates === "function" ? keepStates : undefined;
  const format = awq({ groupSize });
  const layers = layersByPath(model);
  assertFit(model, format, layers, skip);
  const results = new BlockResults(onBlock);
  const walk: WalkOptions = {
    device,
    ...(keepStates !== undefined && { keepStates }),
    ...(releaseWeights !== undefined && { releaseWeights }),
    signal,
    onProgress,
  };
  const search: AwqSearchOptions = {
    groupSize,
    ...(gridSize !== undefined && { gridSize }),
    ...(duoScaling !== undefined && { duoScaling }),
  };
  await walkBlocks(model, samples, walk, false, async (block) => {
    if (await known?.(block.index)) return;
    const weights = new Map<string, QuantizedWeight>();
    const losses = new Map<string, number>();
    const shared = model.sharedInputs(block.index).filter((one) => !one.layers.every((path) => skip?.(path)));
    for (const path of shared.flatMap((one) => one.layers)) await weightOf(path, format, layers.get(path)!.base.weight);
    const statistics = await blockStatistics(block, shared);
    const found = new Map<SharedInput, ScaleSearch>();
    // All of them are searched for in the block as it was.
    for (const one of shared.filter(({ before }) => before !== undefined)) {
      const values = await stacked(one.layers, layers);
      const { loss, close } = await lossOf(model, block, one, layers, device, store);
      found.set(one, await searchScales(values, statistics.get(one.layers[0]!)!, search, loss));
      await close();
    }
    const changed: Parameters = new Map();
    for (const [one, { scales }] of found) {
      for (const path of one.layers) {
        const key = `${path}.weight`;
        changed.set(key, scaleColumns(changed.get(key) ?? (await floatsOf(layers.get(path)!.base.weight)), scales));
      }
      await divide(one.before!, scales, layers, changed);
    }
    for (const one of shared) {
      const own = statistics.get(one.layers[0]!)!;
      const scales = found.get(one)?.scales;
      const gram = clip ? (scales ? dividedGram(own, scales) : own.gram!) : undefined;
      for (const path of one.layers) {
        const { weight } = layers.get(path)!.base;
        const shape = weight.shape as MatrixShape;
        let values = changed.get(`${path}.weight`) ?? (await floatsOf(weight));
        if (skip?.(path)) continue;
        changed.delete(`${path}.weight`);
        if (gram && !unclipped(path)) values = searchClip({ values, shape }, gram, groupSize).values;
        const quantized = quantize(values, shape, format, "f16");
        const loss = found.get(one);
        const lost = loss ? loss.losses[Math.round(loss.ratio * loss.losses.length)]! : 0;
        weights.set(path, quantized);
        if (loss) losses.set(path, lost);
        await onLayer?.(path, lost);
      }
    }
    const scales = new Map([...found].flatMap(([{ layers: paths }, { scales: own }]) => paths.map((path) => [path, own] as const)));
    await results.add({ index: block.index, weights, losses, parameters: changed, scales });
  });
  return results;
}

/** The weights of layers with one input, one below the other. */
async function stacked(
  paths: readonly string[],
  layers: LayersByPath,
): Promise<{ readonly values: Float32Array; readonly shape: MatrixShape }> {
  const all = await Promise.all(paths.map((path) => floatsOf(layers.get(path)!.base.weight)));
  const width = layers.get(paths[0]!)!.base.weight.shape[1]!;
  const values = new Float32Array(all.reduce((size, one) => size + one.length, 0));
  let from = 0;
  for (const one of all) {
    values.set(one, from);
    from += one.length;
  }
  return { values, shape: [values.length / width, width] };
}
