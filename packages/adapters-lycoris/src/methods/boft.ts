import { ConfigError, reshape, rows, type Shape, swapLast, type Tensor, transpose } from "@weft/tensor-core";
import type { LycorisMethod } from "../method.js";
import { type OftConfig, oftMethod, turnBlocks } from "../parts/rotate.js";

/** The largest even block size up to `r` of which a power of two fills `out`: its count of stages and of blocks. */
function countsOf(out: number, r: number): Shape {
  for (let size = r - (r % 2); size > 0; size -= 2) {
    const stages = Math.log2(out / size) + 1;
    if (Number.isInteger(stages)) return [stages, out / size];
  }
  throw new ConfigError(`LYCORIS_BOFT: ${out} outputs are no even block of at most ${r} times a power of two`, {
    hint: "choose a larger r, or leave the module out",
  });
}

/** The elements of chunks of b·2ⁱ, half a chunk apart, side by side; and back. */
function interleave(t: Tensor, half: number, back: boolean): Tensor {
  return reshape(transpose(reshape(t, back ? [-1, half, 2] : [-1, 2, half]), [0, 2, 1]), t.shape);
}

/**
 * BOFT as LyCORIS has it: stages i = 0 … m-1 that bring rows half a chunk of b·2ⁱ apart together, turn blocks of b by R = (I + Q)(I -
 * Q)⁻¹, Q = B - Bᵀ, and put the rows back; strength c: every stage c·R + (1 - c)·I. The bias is not turned. (PEFT's BOFT permutes
 * otherwise.)
 * @see Liu et al. 2024; lycoris `modules/boft.py`
 */
export const LYCORIS_BOFT: LycorisMethod<OftConfig> = oftMethod({
  name: "LYCORIS_BOFT",
  isOurs: (axes) => axes === 4,
  counts: countsOf,
  turn(t, rotation, [stages, count], strength) {
    const half = rotation.shape[1]! / 2;
    let turned = t;
    for (let i = 0; i < stages!; i++) {
      const blocks = swapLast(rows(rotation, i * count!, (i + 1) * count!));
      turned = interleave(turnBlocks(interleave(turned, half * 2 ** i, false), blocks, strength), half * 2 ** i, true);
    }
    return turned;
  },
});
