import { Device, type Format, INT8_ROWS, type PackedWeight, dequantize, quantLinear, referenceDevice, sizeOf } from "@weft/tensor-core";
import { AWQ, GPTQ, NF4_NESTED, Q4_0, Q4_K, Q5_0, Q6_K } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { WasmBackend } from "../../backend.js";
import { enableRelaxedSimd } from "../../node/index.js";

// Products of bytes are relaxed instructions.
enableRelaxedSimd();

let seed = 7;
const random = (): number => ((seed = (seed * 48271) % 2147483647) / 2147483647) * 2 - 1;

/** Codes of any kind, scales of about 0.1; bytes of blocks have scales among them, which these bits leave finite. */
function valuesOf(name: string, dtype: string, count: number): number[] {
  const of = (make: (at: number) => number): number[] => Array.from({ length: count }, (_, at) => make(at));
  if (name === "g_idx") return of((column) => column >> 6);
  if (dtype === "u8") return of(() => Math.floor((random() + 1) * 127.99) & (name === "bytes" ? 0x3b : 0xff));
  if (dtype === "i8") return of(() => Math.trunc(random() * 127));
  return dtype === "i32" ? of(() => Math.trunc(random() * (2 ** 31 - 1))) : of(() => 0.06 + 0.05 * random());
}

/** A packed weight of drawn parts, on any device. */
function drawn(format: Format, shape: readonly [number, number]): (device: Device) => PackedWeight {
  const parts = Object.entries(format.parts(shape)).map(
    ([name, spec]) => [name, spec, valuesOf(name, spec.dtype, sizeOf(spec.shape))] as const,
  );
  return (device) => ({
    format,
    shape,
    parts: Object.fromEntries(parts.map(([name, spec, values]) => [name, device.tensor(values, spec)])),
  });
}

/** Rows that begin in the middle of blocks, ends that fill no span, more and less than four rows. */
const SHAPES: readonly (readonly [Format, readonly (readonly [number, number])[]])[] = [
  [
    INT8_ROWS,
    [
      [5, 130],
      [3, 37],
      [9, 64],
      [1, 1],
    ],
  ],
  [
    NF4_NESTED,
    [
      [5, 256],
      [6, 160],
      [3, 100],
      [2, 7],
    ],
  ],
  [
    Q4_0,
    [
      [7, 96],
      [4, 320],
      [1, 32],
    ],
  ],
  [
    Q5_0,
    [
      [7, 96],
      [4, 320],
    ],
  ],
  [
    Q6_K,
    [
      [5, 256],
      [2, 768],
    ],
  ],
  [
    Q4_K,
    [
      [5, 256],
      [2, 768],
    ],
  ],
  [
    AWQ,
    [
      [8, 192],
      [64, 128],
    ],
  ],
  [
    GPTQ,
    [
      [16, 128],
      [64, 192],
    ],
  ],
];
const CASES = SHAPES.flatMap(([format, shapes]) =>
  shapes.flatMap((shape) => [1, 3, 4, 8, 16].map((m) => ({ format, shape, m, name: format.name }))),
);

describe.each([
  { threads: 1, relaxed: false, activations: "f32" },
  { threads: 2, relaxed: true, activations: "f32" },
  { threads: 1, relaxed: false, activations: "int8" },
  { threads: 2, relaxed: true, activations: "int8" },
] as const)("products with packed weights, $threads threads, FMA $relaxed, x in $activations", (options) => {
  const device = new Device(new WasmBackend(options));
  afterAll(() => device.dispose());

  it.each(CASES)("$name $shape, $m rows", async ({ format, shape, m }) => {
    const [out, width] = shape;
    const x = Float32Array.from({ length: m * width }, random);
    const on = drawn(format, shape);
    const w = await dequantize(on(referenceDevice())).data();
    const y = await quantLinear(device.tensor(x, { shape: [m, width] }), on(device)).data();
    let rounded = false;
    for (let i = 0; i < m; i++) {
      for (let o = 0; o < out; o++) {
        let [exact, magnitude, rounding, levels] = [0, 0, 0, 0];
        const largest = Math.max(...w.slice(o * width, (o + 1) * width).map(Math.abs));
        for (let from = 0; from < width; from += 32) {
          const unit = x.subarray(i * width + from, i * width + Math.min(from + 32, width));
          const most = Math.max(...unit.map(Math.abs));
          unit.forEach((value, k) => {
            const weight = w[o * width + from + k]!;
            exact += value * weight;
            magnitude += Math.abs(value) * largest;
            rounding += (most / 254) * Math.abs(weight);
            levels += (Math.abs(value) * largest) / 65534;
          });
        }
        const error = Math.abs(y[i * out + o]! - exact);
        // Sums of codes, which are larger than the values, lose some bits of these.
        const float = 1e-6 * magnitude * 16;
        expect(error).toBeLessThanOrEqual(float + (options.activations === "int8" ? rounding + levels : 0));
        rounded ||= error > 1e-6 * magnitude * 2;
      }
    }
    const most = options.relaxed && (format === Q4_0 || format === Q5_0 || format === Q4_K) ? 8 : 4;
    const isRounded = options.activations === "int8" && format !== AWQ && format !== GPTQ && format !== Q6_K;
    if (isRounded && width >= 256) expect(rounded).toBe(m <= most);
  });
});

describe.each([
  { threads: 1, relaxed: false },
  { threads: 2, relaxed: true },
])("values of packed weights, $threads threads, FMA $relaxed", (options) => {
  const device = new Device(new WasmBackend(options));
  afterAll(() => device.dispose());

  it.each(SHAPES.flatMap(([format, shapes]) => shapes.map((shape) => ({ format, shape, name: format.name }))))(
    "$name $shape: those of the reference, bit for bit",
    async ({ format, shape }) => {
      const on = drawn(format, shape);
      const [got, want] = [await dequantize(on(device)).data(), await dequantize(on(referenceDevice())).data()];
      expect(got).toEqual(want);
    },
  );
});
