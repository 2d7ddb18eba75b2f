import { dequantize as decoded, type Device } from "@weft/tensor-core";
import type { IntegerFormat } from "./integer/integer-format.js";
import { quantize, type QuantFormat, type QuantizedWeight, valuesOf } from "./quant-format.js";

/** A weight in another format. */
export interface Requantized {
  readonly weight: QuantizedWeight;
  /** ‖ŵ - w‖ / ‖w‖ against the values before; 0 where integers were carried over as they are. */
  readonly error: number;
}

/** True for formats whose integers are had without loss. */
export const isInteger = (format: QuantFormat): format is IntegerFormat => "integers" in format;

/** The values of a stored weight in f32, row-major. @param device what computes them; the reference if not given */
export const dequantize = async (weight: QuantizedWeight, device?: Device): Promise<Float32Array> =>
  (await valuesOf(weight, (packed) => [decoded(packed)], device))[0] as Float32Array;

/** What storing in a format leaves of a weight, as a function: what LoftQ of `@weft/lora-recipes` takes for a quantiser. @param device what computes the values; the reference if not given */
export const roundTrip =
  (format: QuantFormat, device?: Device) =>
  (values: Float32Array, rows: number, columns: number): Promise<Float32Array> =>
    dequantize(quantize(values, [rows, columns], format), device);

/** ‖got - want‖ / ‖want‖, 0 for two weights of zeros. */
function relativeError(got: Float32Array, want: Float32Array): number {
  let [gap, size] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    gap += (got[i]! - want[i]!) ** 2;
    size += want[i]! ** 2;
  }
  return gap === 0 ? 0 : Math.sqrt(gap / size);
}

/**
 * Converts a weight to another format. Between formats of integers (AWQ, GPTQ, pack-quantized) the integers, scales and zero points are carried over where the other can
 * hold them, and the values stay the same to the bit; else the values are computed and quantised anew.
 * @param device what computes the values; the reference if not given
 * @throws as `quantize`
 */
export async function requantize(weight: QuantizedWeight, format: QuantFormat, device?: Device): Promise<Requantized> {
  if (weight.format === format) return { weight, error: 0 };
  if (isInteger(weight.format) && isInteger(format)) {
    const integers = await weight.format.integers(weight, device);
    if (format.holds(integers)) return { weight: { ...weight, format, parts: format.pack!(integers) }, error: 0 };
  }
  const before = await dequantize(weight, device);
  const after = quantize(before, weight.shape, format, weight.dtype);
  return { weight: after, error: relativeError(await dequantize(after, device), before) };
}
