import { bitcast, less, shiftLeft, sub, type Tensor, where } from "@weft/tensor-core";

/** 2^(e - 127 - halvings) of a byte e, halvings 0 or 1, as f32: the smallest ones are subnormal. @param e i32 */
export function powerOf(e: Tensor, halvings: 0 | 1): Tensor {
  const subnormal = shiftLeft(1 << (22 - halvings), e);
  return bitcast(where(less(e, halvings + 1), subnormal, shiftLeft(sub(e, halvings), 23)), "f32");
}

/** The byte e for blocks whose largest magnitude is `max`: ⌊log₂ max⌋ - 2, so that it lies between 4 and 8 times the power; 0 for a block of zeros. */
export const exponentOf = (max: number): number => (max === 0 ? 0 : Math.max(0, Math.floor(Math.fround(Math.log2(max))) - 2 + 127));
