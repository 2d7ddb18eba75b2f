import { optionError } from "../data-error.js";
import { keyed } from "./random.js";

/**
 * An order of `count` things that depends on seed and epoch only: which thing comes at each place.
 * @see Durstenfeld 1964, "Algorithm 235: random permutation"; each draw is of a number of its own key
 */
export function permutation(count: number, seed: number, epoch: number): Uint32Array {
  if (!Number.isInteger(count) || count < 0) throw optionError(`cannot order ${count} things`);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const at = keyed(seed, epoch, i) % (i + 1);
    [order[i], order[at]] = [order[at]!, order[i]!];
  }
  return order;
}
