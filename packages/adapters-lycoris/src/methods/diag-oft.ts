import { type AdapterContext, boolean, cast, type FieldTable, finite, integer, MAX_RANK, type Params } from "@weft/tensor-core";
import { type LycorisMethod, lycorisMethod, withValues } from "../method.js";
import { factorize } from "../parts/factorize.js";
import { trained } from "../parts/low-rank.js";
import { type OftConfig, rescaled, rotations, type Turn, turnBlocks, turnOutput, turnWeight } from "../parts/rotate.js";

export interface DiagOftConfig extends OftConfig {
  /** Number of blocks that a file has. Set by `configFromShapes`. */
  readonly blocks?: number;
}

const FIELDS: FieldTable = { r: integer(4, 1, MAX_RANK), alpha: finite(0), rescaled: boolean(false) };

/** W'[k·b + j] = Σₙ Rₖ[n, j]·W[k·b + n]: the transpose of each block turns the rows. */
function turnOf({ blocks, rescale }: Params, { layer, config, scale }: AdapterContext<DiagOftConfig>): Turn {
  const rotation = rotations(blocks!, layer.shape[0]!, config.alpha);
  return rescaled((t) => turnBlocks(t, rotation, scale), rescale);
}

/**
 * Diag-OFT: the rows of W are turned by the blocks Rᵀ, R = (I + Q)(I - Q)⁻¹ with Q = B - Bᵀ; strength c: c·Rᵀ + (1 - c)·I. The bias is not turned, as in LyCORIS'
 * merge (its own bypass does).
 * @see Qiu et al. 2023; lycoris `modules/diag_oft.py`; kohya `networks/oft.py` (same files, the block size from the number of blocks)
 */
export const DIAG_OFT: LycorisMethod<DiagOftConfig> = lycorisMethod<DiagOftConfig>({
  name: "DIAG_OFT",
  prefix: "oft_",
  fields: FIELDS,
  suffixes: { blocks: "oft_blocks", rescale: "rescale" },
  scalars: ["alpha"],
  parameters({ r, blocks, rescaled: rescale }, { shape: [out, ...rest] }) {
    const count = blocks ?? factorize(out!, r)[1];
    const size = Math.floor(out! / count);
    return {
      blocks: trained([count, size, size], "zeros"),
      ...(rescale && { rescale: trained([out!, ...rest.map(() => 1)], "ones") }),
    };
  },
  configFromShapes: (config, _, { blocks, rescale }) =>
    withValues(config, { ...(blocks && { blocks: blocks[0] }), rescaled: rescale !== undefined }),
  transform: (weight, params, context) => turnWeight(weight, turnOf(params, context), context, params.blocks!.shape[1]!),
  forward: (x, base, params, context) => turnOutput(cast(x, "f32"), base, turnOf(params, context), context.layer),
});
