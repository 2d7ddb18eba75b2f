import {
  abs,
  type BlockwiseModel,
  cast,
  evaluate,
  matmul,
  mul,
  reshape,
  type SharedInput,
  slice,
  sum,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { addGram, addStatistics, emptyStatistics, type InputStatistics } from "./input-statistics.js";
import type { Samples } from "./samples.js";
import { type BlockVisit, type SeeInputs, walkBlocks, type WalkOptions } from "./walk.js";

/** What is summed up beside Σ x² and Σ |x|, and where it is computed. */
export interface CalibrateOptions extends WalkOptions {
  /** Keep Σ x·xᵀ as well, 4 · width² bytes for each input; GPTQ and AWQ's clipping need it, an importance matrix does not. Default false. */
  readonly gram?: boolean;
}

/** What a model's layers were given, by module path; layers with the same input have the same statistics. */
export type Calibration = ReadonlyMap<string, InputStatistics>;

/** Rows of Σ x·xᵀ that are computed at a time: the half below the diagonal is left out where it is below all of them. */
const PANEL = 512;

const floats = async (t: Tensor): Promise<Float32Array> => (await t.data()) as Float32Array;

/** Adds the sums over the rows of one sequence's input […, width], computed in f32. */
async function addInput(to: InputStatistics | undefined, x: Tensor, gram: boolean): Promise<InputStatistics> {
  const width = x.shape.at(-1)!;
  const rows = cast(reshape(x, [-1, width]), "f32");
  const [magnitudes, squares] = [sum(abs(rows), { axes: [0] }), sum(mul(rows, rows), { axes: [0] })];
  await evaluate(rows, magnitudes, squares);
  const added = addStatistics(to ?? emptyStatistics(width, gram), {
    tokens: rows.shape[0]!,
    magnitudes: await floats(magnitudes),
    squares: await floats(squares),
  });
  for (let first = 0; gram && first < width; first += PANEL) {
    const panel = matmul(
      transpose(slice(rows, [undefined, [first, Math.min(width, first + PANEL)]])),
      slice(rows, [undefined, [first, width]]),
    );
    addGram(added, first, await floats(panel));
    panel.dispose();
  }
  for (const t of [magnitudes, squares, ...(rows === x ? [] : [rows])]) t.dispose();
  return added;
}

/** The statistics of some inputs of a block, by the first of their layers. @param pass see `BlockVisit.inputs` */
export async function blockStatistics(
  block: Pick<BlockVisit, "inputs">,
  inputs: readonly SharedInput[],
  { gram = true, pass = false }: { readonly gram?: boolean; readonly pass?: boolean } = {},
): Promise<Map<string, InputStatistics>> {
  const found = new Map<string, InputStatistics>();
  const add: SeeInputs = async (seen) => {
    for (const [path, x] of seen) found.set(path, await addInput(found.get(path), x, gram));
  };
  await block.inputs(new Set(inputs.map(({ layers }) => layers[0]!)), add, pass);
  return found;
}

/**
 * Runs samples through a model block by block, and keeps sums of what goes into its linear layers. `onProgress` counts blocks.
 * @throws ConfigError if there are no samples, or an empty one; CancelledError
 */
export async function calibrate(
  model: BlockwiseModel,
  samples: Samples,
  { gram = false, ...walk }: CalibrateOptions = {},
): Promise<Calibration> {
  const found = new Map<string, InputStatistics>();
  await walkBlocks(model, samples, walk, false, async (block) => {
    const shared = model.sharedInputs(block.index);
    const statistics = await blockStatistics(block, shared, { gram, pass: true });
    for (const { layers } of shared) for (const path of layers) found.set(path, statistics.get(layers[0]!)!);
  });
  return found;
}
