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
import { KeptSamples, type OpenStore } from "./kept-samples.js";
import type { Samples } from "./samples.js";

/** Where a model runs over samples. `onProgress` counts blocks. */
export interface WalkOptions extends LongCallOptions {
  /** Where the model's weights lie; the reference if not given. */
  readonly device?: Device;
  /**
   * Keep what goes into a block for all samples (default): tokens · hidden numbers. With a function, in the stores that it opens instead of the device's memory. Without it (false), it is computed
   * again from the tokens for every block, which takes as many times as long as there are blocks, halved. With a store, or without it, memory does not grow with the number of samples.
   */
  readonly keepStates?: boolean | OpenStore;
  /** Let go of a block's weights on the device when it is done, for models whose weights are read when they are needed (`whenNeeded` of `@weft/models`): no more than a block's are held. */
  readonly releaseWeights?: boolean;
}

/** Layers by path. */
export type LayersByPath = ReadonlyMap<string, { readonly layer: LayerSpec; readonly base: BaseLayer }>;
/** Weights that stand in for those of the model, by path. */
export type Replaced = ReadonlyMap<string, Tensor>;
/** What passes through a layer. */
type Watch = (path: string, x: Tensor, y: Tensor | undefined, base: BaseLayer) => void;

/** Is given what went into layers, by path, of one sample; it is disposed of afterwards. */
export type SeeInputs = (inputs: ReadonlyMap<string, Tensor>) => Promise<void>;

/** The samples as token ids on a device, [1, length] each. @throws ConfigError if there are none, or one has no tokens */
async function collect(samples: Samples, device: Device): Promise<Tensor[]> {
  const all: Tensor[] = [];
  for await (const ids of samples) all.push(idsOf(ids, all.length, device));
  if (all.length === 0) throw new ConfigError("calibration: there are no samples", { hint: "is the text shorter than a sample?" });
  return all;
}

/** One sample as a tensor. */
function idsOf(ids: ArrayLike<number>, number: number, device: Device): Tensor {
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
    watch?.(path, x, y, base);
    return y;
  });
}

/** One block on the way through a model. */
export interface BlockVisit {
  readonly index: number;
  /** Its input for each sample, one at a time. @param see what is done with it; what it evaluates is disposed of by itself */
  each(see: (hidden: Tensor, sample: number) => Promise<void>): Promise<void>;
  /** What goes into some layers, sample by sample, as the block is now. @param pass the block runs to its end, and its results are the next one's input: this is done once, and the last thing of a visit */
  inputs(paths: ReadonlySet<string>, see: SeeInputs, pass?: boolean): Promise<void>;
  /** Weights that stand in for the model's from here on. */
  readonly replaced: Map<string, Tensor>;
}

/**
 * Goes through a model block by block. After a visit the block runs with what stands in for its weights, if `sequential`, else as it is, and its results are the next one's input.
 */
export async function walkBlocks(
  model: BlockwiseModel,
  samples: Samples,
  { device = referenceDevice(), keepStates = true, releaseWeights = false, signal, onProgress }: WalkOptions,
  sequential: boolean,
  visit: (block: BlockVisit) => Promise<void>,
): Promise<void> {
  const ids = await collect(samples, device);
  const replaced = new Map<string, Tensor>();
  const none: Replaced = new Map();
  const used = sequential ? replaced : none;
  const seen = new Set<Tensor>();
  const run = (i: number, hidden: Tensor, watch?: Watch): Tensor =>
    runWatched(model, i, hidden, used, (path, x, y, base) => {
      if (releaseWeights) for (const t of [base.weight, base.bias]) if (t) seen.add(t);
      watch?.(path, x, y, base);
    });
  /** Of constants, which can be used again. */
  const release = (): void => {
    for (const t of seen) t.dispose();
    seen.clear();
  };
  const states = keepStates === false ? undefined : new KeptSamples(keepStates === true ? undefined : keepStates, device);
  try {
    for (const [sample, t] of states ? ids.entries() : []) {
      const h = model.embed(t);
      await evaluate(h);
      await states!.put(sample, h);
    }
    if (releaseWeights) for (const { layer, base } of model.layers()) if (layer.kind === "embedding") base.weight.dispose();
    for (let index = 0; index < model.blockCount; index++) {
      const each: BlockVisit["each"] = async (see) => {
        for (const [sample, t] of ids.entries()) {
          throwIfAborted(signal);
          if (states) await states.use(sample, (h) => see(h, sample));
          else {
            let h = model.embed(t);
            for (let before = 0; before < index; before++) h = run(before, h);
            await evaluate(h);
            await see(h, sample);
            h.dispose();
          }
        }
      };
      let passed = false;
      const inputs: BlockVisit["inputs"] = async (paths, see, pass = false) => {
        passed ||= pass;
        const onward = pass && states !== undefined && index + 1 < model.blockCount;
        await each(async (hidden, sample) => {
          const found = new Map<string, Tensor>();
          const after = run(index, hidden, (path, x) => {
            if (paths.has(path)) found.set(path, x);
          });
          await evaluate(...found.values(), ...(onward ? [after] : []));
          await see(found);
          for (const x of found.values()) if (x !== hidden) x.dispose();
          // Its input is not needed any more.
          if (onward) await states.put(sample, after);
        });
      };
      await visit({ index, each, inputs, replaced });
      throwIfAborted(signal);
      if (!passed && states && index + 1 < model.blockCount) await inputs(new Set(), async () => {}, true);
      release();
      if (states) {
        for (const t of replaced.values()) t.dispose();
        replaced.clear();
      }
      onProgress?.(index + 1, model.blockCount);
    }
  } finally {
    await states?.close();
  }
}
