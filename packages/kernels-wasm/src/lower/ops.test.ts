import {
  type Attrs,
  bytesPerElement,
  contiguousStrides,
  type DType,
  encode,
  decode,
  isFloat,
  type Operand,
  PRIMITIVES,
  runReferenceOp,
  sizeOf,
} from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { WasmMemory } from "../memory.js";
import { compileModules } from "../modules.js";
import { Pool } from "../threads/pool.js";
import { LowerContext } from "./context.js";
import { OPS } from "./ops.js";

let seed = 3;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;

interface Input {
  readonly shape: readonly number[];
  readonly dtype?: DType;
  readonly values?: readonly number[];
  /** Order in which the axes lie in memory, for matmul. */
  readonly strides?: readonly number[];
}

describe.each([
  [1, false],
  [2, false],
  [1, true],
])("primitives on %i threads, FMA %s", (threads, relaxed) => {
  const memory = new WasmMemory();
  const modules = compileModules(relaxed);
  const pool = new Pool(memory, modules, threads);
  afterAll(() => pool.dispose());

  /** Runs a primitive by its kernel and by the reference; values of both. */
  function both(op: string, inputs: readonly Input[], attrs: Attrs): { got: Float64Array; want: Float64Array } {
    const specs = inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype }));
    const result = PRIMITIVES[op]!.infer(specs, attrs);
    const data = inputs.map(({ shape, dtype = "f32", values }) =>
      encode(values ?? Array.from({ length: sizeOf(shape) }, () => (isFloat(dtype) ? random() * 2 - 1 : Math.floor(random() * 50))), dtype),
    );
    const operands = inputs.map(({ shape, dtype = "f32", strides }, buffer): Operand => ({
      buffer,
      dtype,
      shape,
      strides: strides ?? contiguousStrides(shape),
      offset: 0,
    }));
    const out: Operand = { buffer: inputs.length, ...result, strides: contiguousStrides(result.shape), offset: 0 };
    const bytes = sizeOf(result.shape) * bytesPerElement(result.dtype);
    const context = new LowerContext(memory, pool, modules.fused);
    const run = OPS[op]!({ kind: "op", op, attrs, inputs: operands, outputs: [out] }, context)!;
    const buffers = [...data.map((d) => d.length), bytes].map((n) => memory.allocate(n));
    data.forEach((d, i) => memory.bytes.set(d, buffers[i]!.address));
    memory.bytes.fill(0x5a, buffers.at(-1)!.address, buffers.at(-1)!.address + bytes);
    run(Int32Array.from(buffers.map((b) => b.address)));
    const got = decode(memory.bytes.slice(buffers.at(-1)!.address, buffers.at(-1)!.address + bytes), result.dtype);
    context.dispose();
    buffers.forEach((b) => memory.release(b));
    const host = [...data, new Uint8Array(bytes)];
    runReferenceOp((id) => host[id]!, op, attrs, operands, out);
    return { got, want: decode(host.at(-1)!, result.dtype) };
  }

  function expectClose({ got, want }: { got: Float64Array; want: Float64Array }, tolerance: number): void {
    want.forEach((v, i) =>
      expect(Math.abs(got[i]! - v), `element ${i}: ${got[i]} for ${v}`).toBeLessThanOrEqual(tolerance * (1 + Math.abs(v))),
    );
  }

  /** Last places that a sum of products may lose in each dtype. */
  const LOSS: Partial<Record<DType, number>> = { f32: 1e-5, bf16: 2 ** -7, f16: 2 ** -10, f8e4m3: 2 ** -3, f8e5m2: 2 ** -2 };

  it.each<[DType, DType]>([
    ["f32", "f32"],
    ["bf16", "bf16"],
    ["f16", "f16"],
    ["f16", "bf16"],
    ["f32", "bf16"],
    ["f8e4m3", "f8e4m3"],
    ["f8e5m2", "f32"],
  ])("matmul of %s and %s in all transposes", (da, db) => {
    for (const [m, k, n] of [
      [1, 5, 3],
      [3, 65, 5],
      [5, 1, 65],
      [65, 3, 65],
      [2, 257, 9],
    ] as const) {
      for (const ta of [false, true]) {
        for (const tb of [false, true]) {
          const result = both(
            "matmul",
            [
              { shape: [m, k], dtype: da, strides: ta ? [1, m] : [k, 1] },
              { shape: [k, n], dtype: db, strides: tb ? [1, k] : [n, 1] },
            ],
            {},
          );
          expectClose(
            result,
            LOSS[
              PRIMITIVES.matmul!.infer(
                [
                  { shape: [m, k], dtype: da },
                  { shape: [k, n], dtype: db },
                ],
                {},
              ).dtype
            ]!,
          );
        }
      }
    }
  });

  it("matmul over nothing is zero", () => expectClose(both("matmul", [{ shape: [3, 0] }, { shape: [0, 5] }], {}), 0));
  it("matmul of a batch with a weight that all share", () =>
    expectClose(both("matmul", [{ shape: [2, 3, 7, 9] }, { shape: [2, 3, 9, 5], strides: [0, 0, 5, 1] }], {}), 1e-5));

  const pads = (n: number, low: number, high: number): number[][] => Array.from({ length: n }, () => [low, high]);
  const conv = (n: number, attrs: Attrs = {}): Attrs => ({
    stride: new Array<number>(n).fill(1),
    dilation: new Array<number>(n).fill(1),
    inputDilation: new Array<number>(n).fill(1),
    padding: pads(n, 0, 0),
    groups: 1,
    ...attrs,
  });
  it.each<[string, Input[], Attrs]>([
    ["1d, padded", [{ shape: [2, 3, 17] }, { shape: [5, 3, 4] }], conv(1, { padding: [[2, 1]] })],
    ["1d, depthwise, causal", [{ shape: [1, 6, 9] }, { shape: [6, 1, 4] }], conv(1, { padding: [[3, 0]], groups: 6 })],
    ["2d, stride 2", [{ shape: [2, 4, 9, 11] }, { shape: [6, 4, 3, 3] }], conv(2, { stride: [2, 2], padding: pads(2, 1, 1) })],
    ["2d, dilated, groups", [{ shape: [1, 4, 12, 9] }, { shape: [6, 2, 3, 2] }], conv(2, { dilation: [2, 3], groups: 2 })],
    [
      "2d, input dilation, negative padding",
      [{ shape: [1, 2, 5, 6] }, { shape: [3, 2, 3, 3] }],
      conv(2, {
        inputDilation: [2, 3],
        padding: [
          [2, -1],
          [1, 2],
        ],
      }),
    ],
    ["3d", [{ shape: [1, 2, 5, 6, 4] }, { shape: [3, 2, 2, 3, 2] }], conv(3, { stride: [1, 2, 1], padding: pads(3, 1, 0) })],
    [
      "2d, bf16",
      [
        { shape: [1, 3, 6, 6], dtype: "bf16" },
        { shape: [4, 3, 3, 3], dtype: "bf16" },
      ],
      conv(2),
    ],
  ])("conv %s", (_, inputs, attrs) => expectClose(both("conv", inputs, attrs), inputs[0]!.dtype === "bf16" ? 2 ** -6 : 1e-5));

  it("conv in tiles of its positions", () =>
    expectClose(both("conv", [{ shape: [1, 640, 65, 65] }, { shape: [1, 640, 3, 3] }], conv(2)), 1e-4));

  it.each(["f32", "bf16", "f8e4m3", "i32", "u8", "bool"] as const)("gather, concat and pad move %s unchanged", (dtype) => {
    const one = both(
      "gather",
      [
        { shape: [3, 7, 5], dtype },
        { shape: [2, 2], dtype: "i32", values: [6, 0, 3, 3] },
      ],
      { axis: 1 },
    );
    const two = both(
      "concat",
      [
        { shape: [3, 2, 5], dtype },
        { shape: [3, 1, 5], dtype },
        { shape: [3, 65, 5], dtype },
      ],
      { axis: 1 },
    );
    const three = both("pad", [{ shape: [3, 1, 65], dtype }], { low: [1, 0, 2], high: [0, 3, 1], value: 1 });
    for (const { got, want } of [one, two, three]) expect(got).toEqual(want);
  });

  it("indices out of range are an error that names them", () => {
    expect(() => both("gather", [{ shape: [3, 2] }, { shape: [2], dtype: "i32", values: [1, 3] }], { axis: 0 })).toThrow(
      "index 3 is outside an axis of 3 elements",
    );
    expect(() =>
      both("scatterAdd", [{ shape: [3, 2] }, { shape: [1], dtype: "i32", values: [-1] }, { shape: [1, 2] }], { axis: 0 }),
    ).toThrow("index -1");
  });

  it.each(["f32", "bf16"] as const)("scatterAdd adds up repeated indices, %s", (dtype) => {
    expectClose(
      both(
        "scatterAdd",
        [
          { shape: [2, 5, 67], dtype },
          { shape: [4], dtype: "i32", values: [1, 4, 1, 1] },
          { shape: [2, 4, 67], dtype },
        ],
        { axis: 1 },
      ),
      dtype === "f32" ? 1e-6 : 2 ** -7,
    );
  });

  it.each(["max", "min"] as const)("arg%s takes the first of equals", (how) => {
    for (const axis of [0, 1, 2]) {
      const { got, want } = both(
        "argreduce",
        [{ shape: [3, 65, 5], dtype: "f32", values: Array.from({ length: 975 }, () => Math.floor(random() * 6)) }],
        { how, axis },
      );
      expect(got).toEqual(want);
    }
  });

  it("cumsum and random", () => {
    for (const reverse of [false, true]) expectClose(both("cumsum", [{ shape: [3, 65, 5] }], { axis: 1, reverse }), 1e-6);
    for (const n of [1, 2, 65]) {
      const { got, want } = both("random", [{ shape: [2], dtype: "i32", values: [123456789, -987654321] }], { shape: [n] });
      expect(got).toEqual(want);
    }
  });
});
