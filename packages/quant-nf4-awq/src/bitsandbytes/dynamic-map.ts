const { fround } = Math;
/** Powers of ten that the map spans: 10^-6 … 10^0. */
const DECADES = 7;

/** `torch.linspace(0.1, 1, n)` in f32: from both ends, each product and sum rounded once. */
function linspace(n: number): Float32Array {
  const [start, end] = [fround(0.1), 1];
  const step = fround(fround(end - start) / (n - 1));
  return Float32Array.from({ length: n }, (_, i) => (i < n / 2 ? start + step * i : end - step * (n - 1 - i)));
}

/**
 * The 256 values of a dynamic map of bitsandbytes, ascending: for each decade 10^(i-6) the means of equal steps from 0.1 to 1, of 2^i with both signs or of 2^(i+1)
 * with one; 0; 1.
 * @see bitsandbytes `functional.py` create_dynamic_map
 */
function createDynamicMap(signed: boolean): Float32Array {
  const values = [0, 1];
  for (let i = 0; i < DECADES; i++) {
    const steps = signed ? 2 ** i : 2 ** (i + 1);
    const boundaries = linspace(steps + 1);
    const decade = fround(10 ** (i - DECADES + 1));
    for (let k = 0; k < steps; k++) {
      const value = fround(decade * fround(fround(boundaries[k]! + boundaries[k + 1]!) / 2));
      values.push(value);
      if (signed) values.push(-value);
    }
  }
  return Float32Array.from(values).sort();
}

/** Codes of eight bits stand for these: fine about 0, coarse towards ±1. */
export const DYNAMIC_MAP: Float32Array = /* @__PURE__ */ createDynamicMap(true);

/** The same for numbers that are never negative. */
export const UNSIGNED_DYNAMIC_MAP: Float32Array = /* @__PURE__ */ createDynamicMap(false);
