import { scratch } from "../env.wasm";
import { runsToLanes } from "./runs-to-lanes.wasm";

/** The codes of a scale: x less the minimum, times the inverse scale, to the nearest of 0 … most. */
// @ts-ignore: decorator
@inline
function codeOf(x: v128, min: v128, inverse: v128, most: v128): v128 {
  const code = f32x4.nearest(f32x4.mul(inverse, f32x4.sub(x, min)));
  return f32x4.pmin(most, f32x4.pmax(f32x4.splat(0), code));
}

/** What `codes` leave of x, weighted: squares or magnitudes. */
// @ts-ignore: decorator
@inline
function errorOf(x: usize, w: usize, codes: usize, bytes: usize, scale: v128, min: v128, absolute: bool): v128 {
  let error = f32x4.splat(0);
  for (let at: usize = 0; at < bytes; at += 16) {
    const difference = f32x4.sub(f32x4.add(f32x4.mul(scale, v128.load(codes + at)), min), v128.load(x + at));
    const size = absolute ? f32x4.abs(difference) : f32x4.mul(difference, difference);
    error = f32x4.add(error, f32x4.mul(v128.load(w + at), size));
  }
  return error;
}

/**
 * Scales and minima of runs of `size` numbers for x ≈ scale · code + minimum, code 0 … most, minimum ≤ 0: the codes of each scale (first + step · k + most) / (largest - minimum), k = 0 … tries, then
 * the weighted least squares for these codes; the smallest weighted error wins, and its minimum is what the next codes are counted from. All in f32, in ggml's order; a lane is a run.
 * @param runs a multiple of 4
 * @param minima negated
 * @param codes a byte each
 * @see ggml-quants.c make_qkx2_quants, make_qkx3_quants
 */
export function searchAffine(x: usize, w: usize, scales: usize, minima: usize, codes: usize, runs: i32, size: i32, most: f32, first: f32, step: f32, tries: i32, absolute: bool): void {
  const bytes = <usize>size << 4;
  const xs = scratch;
  const ws = scratch + bytes;
  const ls = scratch + 2 * bytes;
  const zero = f32x4.splat(0);
  const top = f32x4.splat(most);
  for (let run = 0; run < runs; run += 4) {
    runsToLanes(x, xs, size);
    runsToLanes(w, ws, size);
    let min = v128.load(xs);
    let max = min;
    let sumW = zero;
    let sumX = zero;
    for (let at: usize = 0; at < bytes; at += 16) {
      const v = v128.load(xs + at);
      const weight = v128.load(ws + at);
      min = f32x4.pmin(min, v);
      max = f32x4.pmax(max, v);
      sumW = f32x4.add(sumW, weight);
      sumX = f32x4.add(sumX, f32x4.mul(weight, v));
    }
    min = f32x4.pmin(min, zero);
    const flat = f32x4.eq(max, min);
    // What the codes of the best error follow from.
    let bestMin = min;
    let bestInverse = f32x4.div(top, f32x4.sub(max, min));
    let scale = f32x4.div(f32x4.splat(1), bestInverse);
    for (let at: usize = 0; at < bytes; at += 16) v128.store(ls + at, codeOf(v128.load(xs + at), min, bestInverse, top));
    let best = errorOf(xs, ws, ls, bytes, scale, min, absolute);
    for (let k = 0; k <= tries; k++) {
      const inverse = f32x4.div(f32x4.splat(first + step * <f32>k + most), f32x4.sub(max, min));
      let sumL = zero;
      let sumL2 = zero;
      let sumXL = zero;
      for (let at: usize = 0; at < bytes; at += 16) {
        const v = v128.load(xs + at);
        const l = codeOf(v, min, inverse, top);
        v128.store(ls + at, l);
        const wl = f32x4.mul(v128.load(ws + at), l);
        sumL = f32x4.add(sumL, wl);
        sumL2 = f32x4.add(sumL2, f32x4.mul(wl, l));
        sumXL = f32x4.add(sumXL, f32x4.mul(wl, v));
      }
      const determinant = f32x4.sub(f32x4.mul(sumW, sumL2), f32x4.mul(sumL, sumL));
      let newScale = f32x4.div(f32x4.sub(f32x4.mul(sumW, sumXL), f32x4.mul(sumX, sumL)), determinant);
      let newMin = f32x4.div(f32x4.sub(f32x4.mul(sumL2, sumX), f32x4.mul(sumL, sumXL)), determinant);
      const positive = f32x4.gt(newMin, zero);
      newMin = v128.andnot(newMin, positive);
      newScale = v128.bitselect(f32x4.div(sumXL, sumL2), newScale, positive);
      const error = errorOf(xs, ws, ls, bytes, newScale, newMin, absolute);
      const better = v128.and(f32x4.gt(determinant, zero), f32x4.lt(error, best));
      if (!v128.any_true(better)) continue;
      best = v128.bitselect(error, best, better);
      scale = v128.bitselect(newScale, scale, better);
      bestMin = v128.bitselect(min, bestMin, better);
      bestInverse = v128.bitselect(inverse, bestInverse, better);
      min = v128.bitselect(newMin, min, better);
    }
    v128.store(scales, v128.andnot(scale, flat));
    v128.store(minima, f32x4.neg(min));
    for (let i = 0; i < size; i++) {
      const l = v128.andnot(codeOf(v128.load(xs + (<usize>i << 4)), bestMin, bestInverse, top), flat);
      const four = i32x4.trunc_sat_f32x4_u(l);
      store<u8>(codes + i, i32x4.extract_lane(four, 0));
      store<u8>(codes + size + i, i32x4.extract_lane(four, 1));
      store<u8>(codes + 2 * size + i, i32x4.extract_lane(four, 2));
      store<u8>(codes + 3 * size + i, i32x4.extract_lane(four, 3));
    }
    x += <usize>size << 4;
    w += <usize>size << 4;
    scales += 16;
    minima += 16;
    codes += 4 * size;
  }
}
