import {
  type AdapterContext,
  boolean,
  cast,
  ConfigError,
  type FieldTable,
  finite,
  integer,
  MAX_RANK,
  type Params,
  reshape,
  rows,
  swapLast,
  type Tensor,
  transpose,
} from "@weft/tensor-core";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { trained } from "../parts/low-rank.js";
import { type OftConfig, rescaled, rotations, type Turn, turnBlocks, turnOutput, turnWeight } from "../parts/rotate.js";

export interface LycorisBoftConfig extends OftConfig {
  /** Stages and blocks per stage that a file has. Set by `configFromShapes`. */
  readonly blocks?: readonly [stages: number, count: number];
}

const FIELDS: FieldTable = { r: integer(4, 2, MAX_RANK), alpha: finite(0), rescaled: boolean(false) };

/** The largest even block size up to `dim` of which a power of two fills `out`; its count of blocks and of stages. */
function blocksOf(out: number, dim: number): readonly [stages: number, count: number] {
  for (let size = dim - (dim % 2); size > 0; size -= 2) {
    const count = out / size;
    if (Number.isInteger(Math.log2(count))) return [Math.log2(count) + 1, count];
  }
  throw new ConfigError(`LYCORIS_BOFT: ${out} outputs are no even block of at most ${dim} times a power of two`, {
    hint: "choose a larger r, or leave the module out",
  });
}

/** The elements of chunks of b·2ⁱ, half a chunk apart, side by side; and back. */
function interleave(t: Tensor, half: number, back: boolean): Tensor {
  const pieces = back ? [-1, half, 2] : [-1, 2, half];
  return reshape(transpose(reshape(t, pieces), [0, 2, 1]), t.shape);
}

function turnOf({ blocks, rescale }: Params, { layer, config, scale }: AdapterContext<LycorisBoftConfig>): Turn {
  const [stages, count, size] = blocks!.shape as [number, number, number];
  const rotation = swapLast(rotations(blocks!, layer.shape[0]!, config.alpha));
  const stage = (t: Tensor, i: number): Tensor => {
    const half = (2 ** i * size) / 2;
    return interleave(turnBlocks(interleave(t, half, false), rows(rotation, i * count, (i + 1) * count), scale), half, true);
  };
  return rescaled((t) => Array.from({ length: stages }, (_, i) => i).reduce(stage, t), rescale);
}

/**
 * BOFT as LyCORIS has it: stages i = 0 … m-1 that bring rows half a chunk of b·2ⁱ apart together, turn blocks of b by R = (I + Q)(I - Q)⁻¹, Q = B - Bᵀ, and put the rows
 * back; strength c: every stage c·R + (1 - c)·I. The bias is not turned. (PEFT's BOFT permutes otherwise.)
 * @see Liu et al. 2024; lycoris `modules/boft.py`
 */
export const LYCORIS_BOFT: LycorisMethod<LycorisBoftConfig> = lycorisMethod<LycorisBoftConfig>({
  name: "LYCORIS_BOFT",
  prefix: "oft_",
  fields: FIELDS,
  suffixes: { blocks: "oft_blocks", rescale: "rescale" },
  scalars: ["alpha"],
  parameters({ r, blocks, rescaled: rescale }, { shape: [out, ...rest] }) {
    const [stages, count] = blocks ?? blocksOf(out!, r);
    const size = Math.floor(out! / count);
    if (out! % (size * 2 ** (stages - 1)) !== 0)
      throw new ConfigError(`LYCORIS_BOFT: ${stages} stages of blocks of ${size} do not fit ${out} outputs`);
    return {
      blocks: trained([stages, count, size, size], "zeros"),
      ...(rescale && { rescale: trained([out!, ...rest.map(() => 1)], "ones") }),
    };
  },
  configFromShapes: (config, _, { blocks, rescale }) =>
    withValues(config, { ...(blocks && { blocks: [blocks[0], blocks[1]] }), rescaled: rescale !== undefined }),
  transform(weight, params, context) {
    const [stages, , size] = params.blocks!.shape as [number, number, number];
    return turnWeight(weight, turnOf(params, context), context, size * 2 ** (stages - 1));
  },
  forward: (x, base, params, context) => turnOutput(cast(x, "f32"), base, turnOf(params, context), context.layer),
});
