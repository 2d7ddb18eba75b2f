import { threefryBlock } from "@weft/tensor-core/program";
import { optionError } from "../option-error.js";

/** Where in all that is generated a random number is drawn: each place has one of its own, whatever else runs beside it. */
export interface DrawPlace {
  /** Integer from 0 to 2⁵³ − 1. */
  readonly seed: number;
  /** Which of several sequences of that seed, from 0 to 2³² − 1. */
  readonly sequence: number;
  /** Which token of the sequence, from 0 to 2³² − 1. */
  readonly position: number;
}

/**
 * A number in [0, 1) with 53 random bits: Threefry-2x32 with the seed as its key, position and sequence as its counter. It depends on nothing else, so
 * that a sequence is the same in any batch and on any backend.
 * @throws ConfigError kind `generation-option`
 */
export function draw({ seed, sequence, position }: DrawPlace): number {
  if (!Number.isSafeInteger(seed) || seed < 0) throw optionError("seed", seed, "a whole number from 0 to 2⁵³ − 1");
  for (const [name, value] of [
    ["sequence", sequence],
    ["position", position],
  ] as const)
    if (value >>> 0 !== value) throw optionError(name, value, "a whole number from 0 to 2³² − 1");
  const [x, y] = threefryBlock([seed | 0, Math.floor(seed / 2 ** 32) | 0], [position, sequence]);
  return ((x >>> 5) * 2 ** 26 + (y >>> 6)) * 2 ** -53;
}
