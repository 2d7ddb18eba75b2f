import type { Device } from "@weft/tensor-core";
import { type IntegerFormat, type Integers, neighbours } from "./integer/integer-format.js";
import type { PartBytes, QuantizedWeight } from "./quant-format.js";
import { isInteger } from "./requantize.js";
import { roundHalfToEven } from "./rounding.js";

/**
 * The parts of new values in the format of the weight that they come from. Of formats of integers every group gets a new scale and zero point or keeps those that it had, whichever
 * is nearer to the values: a symmetric grid is not the one that a second rounding finds, so that fitting anew alone would add a whole second error. The order of columns (`g_idx`) stays.
 * @param values f32, row-major, of the shape of `before`
 * @param device what reads the integers of `before`; the reference if not given
 * @throws as `quantize`
 */
export async function encodeOnto(before: QuantizedWeight, values: Float32Array, device?: Device): Promise<PartBytes> {
  const { format, shape } = before;
  if (!isInteger(format) || !format.round || !format.pack) return format.encode!(values, shape);
  const old = await format.integers(before, device);
  return format.pack(nearer(old, fitted(format, old, values), values));
}

/** New integers, of groups as they were. */
function fitted(format: IntegerFormat, { shape, groups }: Integers, values: Float32Array): Integers {
  const [out, width] = shape;
  const inOrder = neighbours(format.groupSize, width).every((group, i) => group === groups[i]);
  if (inOrder) return format.round!(values, shape);
  // Columns of a group side by side, and back.
  const order = Array.from({ length: width }, (_, i) => i).sort((a, b) => groups[a]! - groups[b]! || a - b);
  const sorted = new Float32Array(values.length);
  for (let o = 0; o < out; o++) for (let i = 0; i < width; i++) sorted[o * width + i] = values[o * width + order[i]!]!;
  const found = format.round!(sorted, shape);
  const codes = new Uint8Array(values.length);
  for (let o = 0; o < out; o++) for (let i = 0; i < width; i++) codes[o * width + order[i]!] = found.codes[o * width + i]!;
  return { ...found, codes, groups };
}

/** Of two grids for each group of each row the nearer one, the old where they are equal. */
function nearer(old: Integers, fresh: Integers, values: Float32Array): Integers {
  const [out, width] = old.shape;
  const most = 2 ** old.bits - 1;
  const count = old.scales.length / out;
  const codes = fresh.codes.slice();
  const [zeros, scales] = [fresh.zeros.slice(), fresh.scales.slice()];
  const kept = new Uint8Array(width);
  const [errorOld, errorNew] = [new Float64Array(count), new Float64Array(count)];
  for (let o = 0; o < out; o++) {
    errorOld.fill(0);
    errorNew.fill(0);
    for (let i = 0; i < width; i++) {
      const [group, v] = [old.groups[i]!, values[o * width + i]!];
      const at = group * out + o;
      const [scale, zero] = [old.scales[at]!, old.zeros[at]!];
      const code = scale === 0 ? zero : roundHalfToEven(v / scale) + zero;
      kept[i] = code < 0 ? 0 : code > most ? most : code;
      errorOld[group]! += (v - scale * (kept[i]! - zero)) ** 2;
      errorNew[group]! += (v - fresh.scales[at]! * (codes[o * width + i]! - fresh.zeros[at]!)) ** 2;
    }
    for (let i = 0; i < width; i++) if (errorOld[old.groups[i]!]! <= errorNew[old.groups[i]!]!) codes[o * width + i] = kept[i]!;
    for (let group = 0; group < count; group++) {
      if (errorOld[group]! > errorNew[group]!) continue;
      const at = group * out + o;
      [zeros[at], scales[at]] = [old.zeros[at]!, old.scales[at]!];
    }
  }
  return { ...fresh, codes, zeros, scales };
}
