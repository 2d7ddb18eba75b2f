import { type Device, type DType, isFloat, type Tensor } from "@weft/tensor-core";
import type { Leaf } from "./program.js";
import { Random } from "./random.js";

const RANGES: Partial<Record<DType, readonly [low: number, high: number]>> = {
  i32: [-(2 ** 31), 2 ** 31 - 1],
  i8: [-128, 127],
  u8: [0, 255],
  bool: [0, 1],
};
const SPECIAL_FLOATS = [NaN, Infinity, -Infinity, -0, 0, 1, -1, 0.5, 2.5, 3.5, -2.5, 1e-20, 300, -7e4, 1e30, -3e38];

/** The values of a leaf before they are rounded to its dtype; `variant` gives others of the same kind. */
export function leafValues({ leaf, shape, dtype, seed }: Leaf, variant = 0): Float64Array {
  const random = new Random(seed + 1_000_003 * variant);
  const float = isFloat(dtype);
  const range = RANGES[dtype];
  const draw = (): number => {
    if (typeof leaf === "object") return random.int(0, leaf.below - 1);
    if (dtype === "bool") return random.int(0, 1);
    const size = (random.next() + random.next() + random.next() - 1.5) * 2;
    if (leaf === "positive") return float ? Math.abs(size) + 0.3 : random.int(1, 9);
    if (leaf === "special") {
      if (float) return random.chance(0.6) ? random.pick(SPECIAL_FLOATS) : size;
      return random.chance(0.4) ? random.pick([range![0], range![1], 0, 1]) : random.int(-9, 9);
    }
    if (random.chance(0.06)) return 0;
    return float ? size : Math.round(dtype === "u8" ? Math.abs(size * 50) : size * 50);
  };
  return Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, draw);
}

/** Makes a leaf on a device. */
export const onDevice =
  (device: Device, variant = 0) =>
  (leaf: Leaf): Tensor =>
    device.tensor(leafValues(leaf, variant), { shape: leaf.shape, dtype: leaf.dtype });
