import type { LycorisMethod } from "../method.js";
import { factorize } from "../parts/factorize.js";
import { type OftConfig, oftMethod, turnBlocks } from "../parts/rotate.js";

/**
 * Diag-OFT: W'[k·b + j] = Σₙ Rₖ[n, j]·W[k·b + n], the rows of W turned by the blocks Rᵀ, R = (I + Q)(I - Q)⁻¹ with Q = B - Bᵀ; strength
 * c: c·Rᵀ + (1 - c)·I. The bias is not turned, as in LyCORIS' merge (its own bypass does).
 * @see Qiu et al. 2023; lycoris `modules/diag_oft.py`; kohya `networks/oft.py` (same files, the block size from the number of blocks)
 */
export const DIAG_OFT: LycorisMethod<OftConfig> = oftMethod({
  name: "DIAG_OFT",
  isOurs: (axes) => axes !== 4,
  counts: (out, r) => [factorize(out, r)[1]],
  turn: (t, rotation, _, strength) => turnBlocks(t, rotation, strength),
});
