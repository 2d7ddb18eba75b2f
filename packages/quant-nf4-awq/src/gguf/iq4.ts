import { roundHalfToEven } from "../rounding.js";
import { FOUR_BITS } from "./codes-of-32.js";
import { largestMagnitude } from "./extremes.js";
import { NOTHING } from "./symmetric-search.js";

/* What IQ4_NL and IQ4_XS share: codes of four bits for levels that lie closer about 0. */

const { fround } = Math;

/** The levels, in 127ths. @see ggml-common.h kvalues_iq4nl */
export const IQ4_LEVELS: Float32Array = Float32Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

/** How many levels are at most n - 127. */
const reached = /* @__PURE__ */ Uint8Array.from({ length: 241 }, (_, n) => IQ4_LEVELS.filter((level) => level <= n - 127).length);

/** The code of the nearest level; the upper one of two. */
function nearest(x: number): number {
  if (x <= -127) return 0;
  if (x >= 113) return 15;
  const upper = reached[Math.floor(x) + 127]!;
  return fround(x - IQ4_LEVELS[upper - 1]!) < fround(IQ4_LEVELS[upper]! - x) ? upper - 1 : upper;
}

/** Writes the codes of 32 numbers times `inverse`. */
export function putCodes(x: Float32Array, from: number, inverse: number, block: Uint8Array, to: number): void {
  FOUR_BITS.put((j) => nearest(fround(inverse * x[from + j]!)), block, to);
}

/** Scales tried beside the first one, on either side of it. */
const TRIES = 7;

/** The scale of 32 numbers for w ≈ scale · level, weighted by w²: the best of sixteen. @see ggml-quants.c quantize_row_iq4_nl_impl */
export function searchIq4(x: Float32Array, from: number): number {
  const extreme = largestMagnitude(x, from, 32);
  if (Math.abs(extreme) < NOTHING) return 0;
  let [scale, best] = [0, 0];
  for (let k = -TRIES - 1; k <= TRIES; k++) {
    const first = k < -TRIES;
    const inverse = first ? fround(1 / fround(-extreme / IQ4_LEVELS[0]!)) : fround((k + IQ4_LEVELS[0]!) / extreme);
    let [sumQX, sumQ2] = [0, 0];
    for (let i = from; i < from + 32; i++) {
      const v = x[i]!;
      const q = IQ4_LEVELS[nearest(fround(inverse * v))]!;
      const wq = fround(fround(v * v) * q);
      sumQX = fround(sumQX + fround(wq * v));
      sumQ2 = fround(sumQ2 + fround(wq * q));
    }
    if (!first && !(sumQ2 > 0 && fround(sumQX * sumQX) > fround(best * sumQ2))) continue;
    scale = fround(sumQX / sumQ2);
    best = fround(scale * sumQX);
  }
  return scale;
}

/** A scale in whole steps of a block's scale: -32 … 31. */
export const sixBits = (inverse: number, scale: number): number => Math.max(-32, Math.min(31, roundHalfToEven(fround(inverse * scale))));
