import { scratch } from "../env.wasm";
import { runsToLanes } from "./runs-to-lanes.wasm";

/** Numbers in a run. */
const SIZE: i32 = 16;
const BYTES: usize = 16 * 16;
/** Scales tried to either side of the first. */
const STEPS: i32 = 9;

/**
 * Scales of runs of 16 numbers for x ≈ scale · code, code -most … most - 1: of nineteen scales about the one that puts the largest magnitude at -most the one with the smallest weighted error. All in
 * f32, in ggml's order; a lane is a run.
 * @param w weights; 0: the squares of the numbers
 * @param inverses what the codes follow from, 0 for a run of zeros
 * @param runs a multiple of 4
 * @see ggml-quants.c make_qx_quants
 */
export function searchSymmetric(x: usize, w: usize, scales: usize, inverses: usize, runs: i32, most: f32): void {
  const zero = f32x4.splat(0);
  const lowest = f32x4.splat(-most);
  const highest = f32x4.splat(most - 1);
  const xs = scratch;
  const ws = scratch + BYTES;
  // Weight times number.
  const wxs = scratch + 2 * BYTES;
  for (let run = 0; run < runs; run += 4) {
    runsToLanes(x, xs, SIZE);
    if (w != 0) {
      runsToLanes(w, ws, SIZE);
      w += BYTES;
    }
    let extreme = zero;
    let magnitude = zero;
    for (let at: usize = 0; at < BYTES; at += 16) {
      const v = v128.load(xs + at);
      const larger = f32x4.gt(f32x4.abs(v), magnitude);
      extreme = v128.bitselect(v, extreme, larger);
      magnitude = v128.bitselect(f32x4.abs(v), magnitude, larger);
      if (w == 0) v128.store(ws + at, f32x4.mul(v, v));
      v128.store(wxs + at, f32x4.mul(v128.load(ws + at), v));
    }
    let scale = zero;
    let chosen = zero;
    let best = zero;
    for (let i = 0; i <= 2 * STEPS; i++) {
      // The scale without a step comes first.
      const k = i == 0 ? 0 : i <= STEPS ? i - STEPS - 1 : i - STEPS;
      const inverse = f32x4.div(f32x4.splat(-(most + <f32>0.1 * <f32>k)), extreme);
      let lx = zero;
      let l2 = zero;
      for (let at: usize = 0; at < BYTES; at += 16) {
        const code = f32x4.pmin(highest, f32x4.pmax(lowest, f32x4.nearest(f32x4.mul(inverse, v128.load(xs + at)))));
        lx = f32x4.add(lx, f32x4.mul(v128.load(wxs + at), code));
        l2 = f32x4.add(l2, f32x4.mul(f32x4.mul(v128.load(ws + at), code), code));
      }
      const some = f32x4.gt(l2, zero);
      const better = i == 0 ? i32x4.splat(-1) : v128.and(some, f32x4.gt(f32x4.mul(lx, lx), f32x4.mul(best, l2)));
      const ratio = v128.and(f32x4.div(lx, l2), some);
      scale = v128.bitselect(ratio, scale, better);
      best = v128.bitselect(f32x4.mul(ratio, lx), best, better);
      chosen = v128.bitselect(inverse, chosen, better);
    }
    const nothing = f32x4.lt(magnitude, f32x4.splat(1e-15));
    v128.store(scales, v128.andnot(scale, nothing));
    v128.store(inverses, v128.andnot(chosen, nothing));
    x += BYTES;
    scales += 16;
    inverses += 16;
  }
}
