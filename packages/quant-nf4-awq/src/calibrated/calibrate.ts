import {
  abs,
  type BlockwiseModel,
  cast,
  ConfigError,
  evaluate,
  matmul,
  mul,
  referenceDevice,
  reshape,
  type SharedInput,
  sum,
  type Tensor,
  throwIfAborted,
  transpose,
} from "@weft/tensor-core";
import { addStatistics, emptyStatistics, type InputStatistics } from "./input-statistics.js";
import type { Samples } from "./samples.js";
import { type BlockVisit, idsOf, runWatched, type WalkOptions } from "./walk.js";

/** What is summed up beside Σ x² and Σ |x|, and where it is computed. */
export interface CalibrateOptions extends Omit<WalkOptions, "keepStates"> {
  /** Keep Σ x·xᵀ as well, 8 · width² bytes for each input; GPTQ and AWQ's clipping need it, an importance matrix does not. Default false. */
  readonly gram?: boolean;
}

/** What a model's layers were given, by module path; layers with the same input have the same statistics. */
export type Calibration = ReadonlyMap<string, InputStatistics>;

/** Sums over the rows of an input […, width], in f32. */
interface Sums {
  readonly tokens: number;
  readonly magnitudes: Tensor;
  readonly squares?: Tensor;
  readonly gram?: Tensor;
}

function sumsOf(x: Tensor, gram: boolean): Sums {
  const rows = cast(reshape(x, [-1, x.shape.at(-1)!]), "f32");
  const magnitudes = sum(abs(rows), { axes: [0] });
  const both = gram ? { gram: matmul(transpose(rows), rows) } : { squares: sum(mul(rows, rows), { axes: [0] }) };
  return { tokens: rows.shape[0]!, magnitudes, ...both };
}

const tensorsOf = ({ magnitudes, squares, gram }: Sums): Tensor[] => [magnitudes, squares, gram].filter((t) => t !== undefined);

/** Adds a sample's sums, which are computed by now, to statistics. */
async function addSums(to: InputStatistics | undefined, sums: Sums): Promise<InputStatistics> {
  const { tokens, magnitudes, squares, gram } = sums;
  const known = to ?? emptyStatistics(magnitudes.shape[0]!, gram !== undefined);
  const data = async (t: Tensor): Promise<Float32Array> => (await t.data()) as Float32Array;
  const added = addStatistics(known, {
    tokens,
    magnitudes: await data(magnitudes),
    ...(gram ? { gram: await data(gram) } : { squares: await data(squares!) }),
  });
  for (const t of tensorsOf(sums)) t.dispose();
  return added;
}

/** The statistics of some inputs of a block, by the first of their layers. */
export async function blockStatistics(
  model: BlockwiseModel,
  { index, each, replaced }: BlockVisit,
  inputs: readonly SharedInput[],
): Promise<Map<string, InputStatistics>> {
  const found = new Map<string, InputStatistics>();
  const watched = new Set(inputs.map(({ layers }) => layers[0]!));
  await each(async (hidden) => {
    const sums = new Map<string, Sums>();
    runWatched(model, index, hidden, replaced, (path, x) => {
      if (watched.has(path)) sums.set(path, sumsOf(x, true));
    });
    await evaluate(...[...sums.values()].flatMap(tensorsOf));
    for (const [path, some] of sums) found.set(path, await addSums(found.get(path), some));
  });
  return found;
}

/**
 * Runs samples through a model, one after the other, and keeps sums of what goes into its linear layers. Memory is that of the sums and of one sample, whatever their number.
 * `onProgress` counts samples; how many there are is not known, so that the total is what is done.
 * @throws ConfigError if there are no samples, or an empty one; CancelledError
 */
export async function calibrate(
  model: BlockwiseModel,
  samples: Samples,
  { device = referenceDevice(), gram = false, signal, onProgress }: CalibrateOptions = {},
): Promise<Calibration> {
  const shared = Array.from({ length: model.blockCount }, (_, i) => model.sharedInputs(i)).flat();
  const firsts = new Set(shared.map(({ layers }) => layers[0]!));
  const found = new Map<string, InputStatistics>();
  let done = 0;
  for await (const ids of samples) {
    throwIfAborted(signal);
    let hidden = model.embed(idsOf(ids, done, device));
    for (let i = 0; i < model.blockCount; i++) {
      const sums = new Map<string, Sums>();
      const next = runWatched(model, i, hidden, new Map(), (path, x) => {
        if (firsts.has(path)) sums.set(path, sumsOf(x, gram));
      });
      await evaluate(next, ...[...sums.values()].flatMap(tensorsOf));
      hidden.dispose();
      hidden = next;
      for (const [path, some] of sums) found.set(path, await addSums(found.get(path), some));
    }
    hidden.dispose();
    done++;
    onProgress?.(done, done);
  }
  if (done === 0) throw new ConfigError("calibration: there are no samples", { hint: "is the text shorter than a sample?" });
  return new Map(shared.flatMap(({ layers }) => layers.map((path) => [path, found.get(layers[0]!)!] as const)));
}
