import {
  type BaseLayer,
  type BlockwiseModel,
  ConfigError,
  type Device,
  evaluate,
  forwardBase,
  type LayerSpec,
  type LongCallOptions,
  referenceDevice,
  type Tensor,
  throwIfAborted,
} from "@weft/tensor-core";
import type { Samples } from "./samples.js";

/** Where a model runs over samples. `onProgress` counts blocks. */
export interface WalkOptions extends LongCallOptions {
  /** Where the model's weights lie; the reference if not given. */
  readonly device?: Device;
  /**
   * Keep what goes into a block for all samples (default): tokens · hidden numbers. Without it, it is computed again from the tokens for every block, which takes as many times
   * as long as there are blocks, halved, and memory does not grow with the number of samples.
   */
  readonly keepStates?: boolean;
}

/** Layers by path. */
export type LayersByPath = ReadonlyMap<string, { readonly layer: LayerSpec; readonly base: BaseLayer }>;
/** Weights that stand in for those of the model, by path. */
export type Replaced = ReadonlyMap<string, Tensor>;
/** What passes through a layer. */
type Watch = (path: string, x: Tensor, y: Tensor | undefined) => void;

/** The samples as token ids on a device, [1, length] each. @throws ConfigError if there are none, or one has no tokens */
async function collect(samples: Samples, device: Device): Promise<Tensor[]> {
  const all: Tensor[] = [];
  for await (const ids of samples) all.push(idsOf(ids, all.length, device));
  if (all.length === 0) throw new ConfigError("calibration: there are no samples", { hint: "is the text shorter than a sample?" });
  return all;
}

/** One sample as a tensor. */
export function idsOf(ids: ArrayLike<number>, number: number, device: Device): Tensor {
  if (ids.length === 0) throw new ConfigError(`calibration: sample ${number} has no tokens`);
  return device.tensor(Int32Array.from(ids), { shape: [1, ids.length] });
}

/** A block over hidden states, with weights replaced and layers watched: `y` is the layer's result where it is asked for. */
export function runWatched(
  model: BlockwiseModel,
  i: number,
  hidden: Tensor,
  replaced: Replaced,
  watch?: Watch,
  results?: ReadonlySet<string>,
): Tensor {
  return model.runBlock(i, hidden, (path, layer, base, x) => {
    const weight = replaced.get(path);
    const y = weight || results?.has(path) ? forwardBase(layer, base, x, weight) : undefined;
    watch?.(path, x, y);
    return y;
  });
}

/** One block on the way through a model. */
export interface BlockVisit {
  readonly index: number;
  /** Its input for each sample, one at a time. @param see what is done with it; what it evaluates is disposed of by itself */
  each(see: (hidden: Tensor, sample: number) => Promise<void>): Promise<void>;
  /** Weights that stand in for the model's from here on. */
  readonly replaced: Map<string, Tensor>;
}

/**
 * Goes through a model block by block. After a visit the block runs with what stands in for its weights, if `sequential`, else as it is, and its results are the next one's input.
 */
export async function walkBlocks(
  model: BlockwiseModel,
  samples: Samples,
  { device = referenceDevice(), keepStates = true, signal, onProgress }: WalkOptions,
  sequential: boolean,
  visit: (block: BlockVisit) => Promise<void>,
): Promise<void> {
  const ids = await collect(samples, device);
  const replaced = new Map<string, Tensor>();
  const none: Replaced = new Map();
  const used = sequential ? replaced : none;
  let states = keepStates ? ids.map((t) => model.embed(t)) : undefined;
  for (let index = 0; index < model.blockCount; index++) {
    const each: BlockVisit["each"] = async (see) => {
      for (const [sample, t] of ids.entries()) {
        throwIfAborted(signal);
        if (states) await see(states[sample]!, sample);
        else {
          let h = model.embed(t);
          for (let before = 0; before < index; before++) h = runWatched(model, before, h, used);
          await evaluate(h);
          await see(h, sample);
          h.dispose();
        }
      }
    };
    await visit({ index, each, replaced });
    throwIfAborted(signal);
    if (states && index + 1 < model.blockCount) {
      const next: Tensor[] = [];
      for (const h of states) {
        const after = runWatched(model, index, h, used);
        await evaluate(after);
        h.dispose();
        next.push(after);
      }
      states = next;
    }
    onProgress?.(index + 1, model.blockCount);
  }
  for (const h of states ?? []) h.dispose();
}
