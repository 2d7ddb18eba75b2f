import { createWasmBackend } from "@weft/kernels-wasm";
import {
  compile,
  dequantize,
  Device,
  type Format,
  INT8_ROWS,
  linear,
  type Parts,
  type PartSpec,
  sizeOf,
  type Tensor,
} from "@weft/tensor-core";
import { AWQ, GPTQ, NF4_NESTED, Q4_0, Q4_K, Q5_0, Q6_K } from "@weft/tensor-core/testing";
import type { BenchContext } from "../../../context.js";
import { numbers } from "../../matmul/product.js";
import { compare, type Linear, linearOf } from "../linear-products.js";
import type { CoreCase } from "./case.js";

/** How many times as fast as f32 the project wants one row to be, with x in f32 or in eight bits. */
const FORMATS: readonly (readonly [Format, goal: number | undefined])[] = [
  [INT8_ROWS, 2],
  [NF4_NESTED, 2.5],
  [Q4_0, 2.5],
  [Q5_0, undefined],
  [Q4_K, undefined],
  [Q6_K, undefined],
  [AWQ, undefined],
  [GPTQ, undefined],
];
/** And many rows. */
const MANY = { rows: 128, formats: [NF4_NESTED] as readonly Format[], goal: 0.8 };
/** Relative error of sums with x in eight bits. */
const ROUNDED = 0.03;

/** Rows of x, the format of W, and how many times as fast as f32 it is to be. */
interface PackedProduct {
  readonly rows: number;
  readonly format: Format;
  readonly goal?: number | undefined;
}

/** Products with packed weights, with x in f32 and, for few rows, in eight bits, against the same ones with f32 weights. */
export async function packedProducts(context: BenchContext, products: readonly PackedProduct[]): Promise<void> {
  const size = context.quick ? 256 : 2048;
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const rounding = new Device(await createWasmBackend({ threads: 1, activations: "int8" }));
  for (const { rows, format, goal } of products) {
    const all = [
      ...(await prepare(device, format, size, rows)),
      ...(rows <= 8 ? [(await prepare(rounding, format, size, rows, ROUNDED))[1]] : []),
    ];
    await compare(context, all, (ratio) => (goal === undefined ? {} : { goal: `≥ ${goal} × as fast`, met: ratio >= goal }));
  }
  device.dispose();
  rounding.dispose();
}

export const packedCase: CoreCase = {
  name: "packed linear",
  run: (context) =>
    packedProducts(context, [
      ...[1, 4, 8, 16].flatMap((rows) => FORMATS.map(([format, goal]) => ({ rows, format, goal: rows === 1 ? goal : undefined }))),
      ...MANY.formats.map((format) => ({ rows: MANY.rows, format, goal: MANY.goal })),
    ]),
};

/** The product with the values of a packed weight in f32, and with the weight as it lies. */
async function prepare(device: Device, format: Format, size: number, m: number, rounded?: number): Promise<[Linear, Linear]> {
  const shape = [size, size] as const;
  const x = device.tensor(numbers(m * size, 11), { shape: [m, size] });
  const parts = Object.fromEntries(Object.entries(format.parts(shape)).map(([name, spec], i) => [name, partOf(device, name, spec, i)]));
  const values = (await dequantize({ format, shape, parts }).data()) as Float32Array;
  const a = (await x.data()) as Float32Array;
  const b = Float32Array.from(values, (_, i) => values[(i % size) * size + Math.floor(i / size)]!);
  const product = (of: string) => ({ m, k: size, n: size, a, b, name: `linear ${m}×${size}, ${size}×${size}, W ${of}, 1 thread` });
  const dense = { dense: device.tensor(values, { shape }) };
  const ofDense = compile((left: Tensor, w: { readonly dense: Tensor }) => linear(left, w.dense), { device });
  const ofPacked = compile((left: Tensor, w: Parts) => linear(left, dequantize({ format, shape, parts: w })), { device });
  return [
    await linearOf(device, product(`f32 (values of ${format.name})`), ofDense, [x, dense]),
    await linearOf(device, product(rounded === undefined ? format.name : `${format.name}, x in 8 bits`), ofPacked, [x, parts], rounded),
  ];
}

/** Any codes, scales of about 0.1. Bytes of blocks have scales among them, which such codes leave finite. */
function partOf(device: Device, name: string, spec: PartSpec, seed: number): Tensor {
  const some = numbers(sizeOf(spec.shape), 7 * seed + 3);
  const codes = { i8: 127, u8: 128, i32: 2 ** 31 }[spec.dtype as string];
  // Groups in their order, as most GPTQ checkpoints have them.
  if (name === "g_idx")
    return device.tensor(
      Int32Array.from(some, (_, column) => column >> 6),
      spec,
    );
  if (codes === undefined)
    return device.tensor(
      some.map((v) => 0.06 + 0.05 * v),
      spec,
    );
  const code = (v: number): number => Math.trunc(spec.dtype === "u8" ? (v + 1) * 127.99 : v * (codes - 1));
  return device.tensor(
    Int32Array.from(some, (v) => (name === "bytes" ? code(v) & 0x3b : code(v))),
    spec,
  );
}
