import { DYNAMIC_MAP } from "./dynamic-map.js";

const { fround } = Math;
/** Entries of the table that bitsandbytes' CPU kernel finds codes in. */
const ENTRIES = 65536;

const tables = new WeakMap<Float32Array, Uint8Array>();

/** Entry i of 65536: the code of `map` whose value is nearest to -1 + 2·i/65535; the lower one of two that are equally near. */
export function dynamicCodes(map: Float32Array): Uint8Array {
  const known = tables.get(map);
  if (known) return known;
  const table = new Uint8Array(ENTRIES);
  let code = 0;
  for (let i = 0; i < ENTRIES; i++) {
    const value = fround(-1 + fround((2 * i) / (ENTRIES - 1)));
    while (code < 255 && Math.abs(value - map[code + 1]!) < Math.abs(value - map[code]!)) code++;
    table[i] = code;
  }
  tables.set(map, table);
  return table;
}

/**
 * Eight bits for each of a row of numbers, by the dynamic map, times the largest magnitude of each block. Codes are those of bitsandbytes' CPU kernel, which
 * rounds a number to a grid of 65536 steps first; a block of zeros has code 0.
 * @returns `codes` u8 [n], `absmax` f32 [⌈n / blocksize⌉]
 * @see bitsandbytes `csrc/cpu_ops.cpp` quantize_cpu
 */
export function quantizeBlockwise(values: Float32Array, blocksize: number): { readonly codes: Uint8Array; readonly absmax: Float32Array } {
  const table = dynamicCodes(DYNAMIC_MAP);
  const codes = new Uint8Array(values.length);
  const absmax = new Float32Array(Math.ceil(values.length / blocksize));
  for (let b = 0; b < absmax.length; b++) {
    const end = Math.min(values.length, (b + 1) * blocksize);
    let max = 0;
    for (let i = b * blocksize; i < end; i++) max = Math.max(max, Math.abs(values[i]!));
    absmax[b] = max;
    if (max === 0) continue;
    const scale = fround(1 / max);
    for (let i = b * blocksize; i < end; i++) {
      const x = Math.max(-1, Math.min(1, fround(values[i]! * scale)));
      codes[i] = table[Math.trunc(fround(fround(fround(fround(x + 1) * 0.5) * (ENTRIES - 1)) + 0.5))]!;
    }
  }
  return { codes, absmax };
}
