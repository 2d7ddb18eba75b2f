import { compile, dequantize, Device, type Format, type PackedWeight, quantLinear, referenceDevice, type Tensor } from "@weft/tensor-core";
import { AWQ, GPTQ, NF4_NESTED, Q4_0, Q4_K } from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";
import { createOnnxBackend } from "../backend.js";
import { hasRuntime, REASON } from "../testing/runtime.js";

/** The bytes of a block that are the upper one of an f16: without their highest exponent bit, it is a number. */
const F16_ENDS: { readonly [format: string]: readonly [block: number, ends: readonly number[]] } = { q4_0: [18, [1]], q4_k: [144, [1, 3]] };

const SHAPE = [40, 512] as const;

function random(device: Device, format: Format): PackedWeight {
  let seed = 1;
  const next = (): number => (seed = (seed * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
  const [block, ends] = F16_ENDS[format.name] ?? [1, []];
  const valueOf = (name: string, dtype: string, at: number): number => {
    if (name === "g_idx") return Math.floor(at / 64);
    if (dtype === "i32") return Math.floor((next() - 0.5) * 2 ** 32);
    if (dtype === "u8") return Math.floor(next() * 256) & (ends.includes(at % block) ? 0xbf : 0xff);
    return next() - 0.5;
  };
  const parts = Object.entries(format.parts(SHAPE)).map(([name, { shape, dtype }]) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return [
      name,
      device.tensor(
        Float64Array.from({ length: count }, (_, at) => valueOf(name, dtype, at)),
        { shape, dtype },
      ),
    ] as const;
  });
  return { format, shape: SHAPE, parts: Object.fromEntries(parts) };
}

describe.skipIf(!hasRuntime())(`constants that loops make of packed weights${REASON}`, () => {
  it.each([NF4_NESTED, AWQ, GPTQ, Q4_0, Q4_K])("are to the bit what $name says", async (format) => {
    const expected = await dequantize(random(referenceDevice(), format)).data();
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const packed = random(device, format);
    const rows = 32;
    const product = compile((t: Tensor) => quantLinear(t, packed), { device });
    const [out, width] = SHAPE;
    for (let first = 0; first < width; first += rows) {
      // Each row picks a column of the weight.
      const picks = Float32Array.from({ length: rows * width }, (_, at) => Number(at % width === first + Math.floor(at / width)));
      const y = await (await product(device.tensor(picks, { shape: [rows, width] }))).data();
      for (let r = 0; r < rows; r++) for (let o = 0; o < out; o++) expect(y[r * out + o]).toBe(expected[o * width + first + r]! + 0);
    }
  });
});
