import { dequantize as call, quantLinear as linear } from "../../../composites/dequantize.js";
import { weightNorm } from "../../../composites/dora-norm.js";
import { loraLinear, mergeLowRank } from "../../../composites/lora-linear.js";
import type { Device } from "../../../device.js";
import type { DType } from "../../../dtype.js";
import type { Format, PackedWeight } from "../../../formats/format.js";
import { INT8_ROWS } from "../../../formats/int8.js";
import type { Tensor } from "../../../graph.js";
import * as o from "../../../ops/index.js";
import { CHAIN, type ConformanceCase, positive, products, rounded, sample } from "../../case.js";
import { AWQ, FP8_TILES, GPTQ, MXFP4, NF4_NESTED, Q4_0, Q4_K, Q5_0, Q6_K } from "../../own-format/known-formats.js";
import { integers, type IntegersOptions } from "../../own-format/integers.js";
import { TABLE4 } from "../../own-format/table4.js";

const nonsmooth = "the parts of a packed weight have no gradient";

const FORMATS: readonly Format[] = [INT8_ROWS, TABLE4];

/** A weight of any codes, of numbers of about 1. */
function packed(d: Device, format: Format, out: number, width: number, dtype: DType = "f32"): PackedWeight {
  const specs = Object.entries(format.parts([out, width]));
  const part = (name: string, shape: readonly number[], type: DType, seed: number): Tensor =>
    name === "absmax" ? positive(d, shape, type, seed) : sample(d, shape, type, seed);
  const parts = Object.fromEntries(specs.map(([name, spec], i) => [name, part(name, spec.shape, spec.dtype, i + 3)]));
  return { format, shape: [out, width], dtype, parts };
}

const SIZES = [
  [5, 8],
  [13, 37],
  [1, 1],
  [3, 7],
  [66, 70],
  [9, 1033],
  [300, 20],
] as const;

export const dequantize: readonly ConformanceCase[] = FORMATS.flatMap((format): ConformanceCase[] => [
  {
    name: `dequantize: ${format.name}, in the loop of what is computed with it`,
    build: (d) => SIZES.map(([out, width]) => o.add(call(packed(d, format, out, width)), sample(d, [width]))),
    nonsmooth,
    tolerance: CHAIN,
  },
  {
    name: `dequantize: ${format.name}, to 16 bits, some of its rows and columns`,
    build: (d) => {
      const w = call(packed(d, format, 40, 24));
      return [
        call(packed(d, format, 5, 6, "bf16")),
        o.rows(w, 0, 8),
        o.rows(w, 7, 9),
        o.slice(
          w,
          [
            [3, 40],
            [1, 20],
          ],
          [2, 3],
        ),
        o.sum(o.rows(w, 39, 40), { axes: [1] }),
      ];
    },
    nonsmooth,
    tolerance: rounded("bf16"),
  },
]);

export const quantLinear: readonly ConformanceCase[] = FORMATS.flatMap((format): ConformanceCase[] => [
  ...Array.from({ length: 20 }, (_, i) => i + 1).map((m): ConformanceCase => ({
    name: `quantLinear: ${format.name}, ${m} rows, with and without bias, and its gradient`,
    build: (d) =>
      SIZES.filter((_, k) => m === 1 || (k + m) % 7 < 3).flatMap(([out, width], k) =>
        linear(sample(d, [m, width]), packed(d, format, out, width), k % 2 ? sample(d, [out]) : undefined),
      ),
    nonsmooth,
    tolerance: { ...products(1033), absolute: 4e-3 },
  })),
  {
    name: `quantLinear: ${format.name}, many rows, leading axes, 16 bits, nothing`,
    build: (d) => [
      linear(sample(d, [130, 260]), packed(d, format, 70, 260)),
      linear(sample(d, [2, 3, 20]), packed(d, format, 9, 20)),
      linear(o.transpose(sample(d, [20, 4])), packed(d, format, 9, 20)),
      linear(sample(d, [2, 20], "bf16"), packed(d, format, 9, 20, "bf16")),
      linear(sample(d, [2, 20], "f16"), packed(d, format, 9, 20, "f16")),
      linear(sample(d, [2, 20], "f32"), packed(d, format, 9, 20, "f16")),
      linear(sample(d, [0, 20]), packed(d, format, 9, 20)),
      linear(sample(d, [3, 20]), packed(d, format, 0, 20)),
      linear(sample(d, [3, 0]), packed(d, format, 4, 0)),
    ],
    nonsmooth,
    tolerance: { ...rounded("bf16"), absolute: 0.1 },
  },
  {
    name: `quantLinear: ${format.name}, either way round, of rows of the weight, twice`,
    build: (d) => {
      const w = call(packed(d, format, 32, 24));
      const x = sample(d, [3, 24]);
      return [
        o.matmul(w, o.transpose(x)),
        o.matmul(sample(d, [2, 32]), w),
        o.linear(x, o.rows(w, 4, 20)),
        o.matmul(x, o.matmul(o.transpose(w), o.transpose(sample(d, [2, 32])))),
        o.linear(o.linear(x, w), o.transpose(w)),
      ];
    },
    nonsmooth,
    tolerance: { ...products(800), absolute: 4e-3 },
  },
  {
    name: `quantLinear: ${format.name}, of what reads a base weight`,
    build: (d) => {
      const w = call(packed(d, format, 20, 12));
      const [a, b] = [sample(d, [4, 12], "f32", 3), sample(d, [20, 4], "f32", 4)];
      return [
        loraLinear(sample(d, [5, 12]), w, a, b, 0.5, sample(d, [20])),
        loraLinear(sample(d, [1, 12]), w, a, b, 0.5),
        weightNorm(w, a, b, 0.5),
        mergeLowRank(w, a, b, { scale: 0.5 }),
        o.rows(mergeLowRank(w, a, b, { scale: 0.5 }), 3, 5),
      ];
    },
    nonsmooth,
    tolerance: { ...products(60), absolute: 1e-3 },
  },
]);

/** Weights [16, 512] of formats that people have, of bytes that are finite numbers in all of them. */
const KNOWN: readonly (readonly [Format, (d: Device) => { readonly [part: string]: Tensor }])[] = [
  [NF4_NESTED, () => ({})],
  [AWQ, () => ({})],
  [GPTQ, (d) => ({ g_idx: d.tensor(Int32Array.from({ length: 512 }, (_, i) => (i * 5) % 8)) })],
  [Q4_0, (d) => ({ bytes: o.bitAnd(sample(d, [16, 288], "u8"), 0x3b) })],
  [Q5_0, (d) => ({ bytes: o.bitAnd(sample(d, [16, 352], "u8"), 0x3b) })],
  [Q4_K, (d) => ({ bytes: o.bitAnd(sample(d, [16, 288], "u8"), 0x3b) })],
  [Q6_K, (d) => ({ bytes: o.bitAnd(sample(d, [16, 420], "u8"), 0x3b) })],
  [MXFP4, (d) => ({ bytes: o.bitOr(o.bitAnd(sample(d, [16, 272], "u8"), 7), 0x78) })],
  [FP8_TILES, () => ({})],
];

export const knownFormats: readonly ConformanceCase[] = KNOWN.map(([format, own]) => ({
  name: `quantLinear: ${format.name}`,
  build: (d) => {
    const made = packed(d, format, 16, 512);
    const w = { ...made, parts: { ...made.parts, ...own(d) } };
    return [...[1, 2, 8, 20].map((rows) => linear(sample(d, [rows, 512]), w)), o.rows(call(w), 8, 13)];
  },
  nonsmooth,
  tolerance: { relative: 1e-4, absolute: 0.5, reason: "sums of 512 products of numbers up to 1000" },
}));

const INTEGERS: readonly IntegersOptions[] = [
  { bits: 4, group: 32, zeros: 8 },
  { bits: 4, group: 16, zeros: 0, minima: true },
  { bits: 4, group: 64, zeros: "each" },
  { bits: 4, group: 48, zeros: "each", minima: true },
  { bits: 4, group: 24, zeros: 8 },
  { bits: 3, group: -1, zeros: 4 },
  { bits: 5, group: 32, zeros: 16 },
  { bits: 6, group: 16, zeros: 32, minima: true },
  { bits: 8, group: 32, zeros: 128 },
  { bits: 8, group: 128, zeros: "each" },
  { bits: 8, group: -1, zeros: 100 },
];

/** Products with weights that have an `AffineForm`: scales for 16 to 256 neighbours, last groups that are not full, few and many rows. */
export const affineLinear: readonly ConformanceCase[] = INTEGERS.map(integers).map((format) => ({
  name: `affineLinear: ${format.name}`,
  build: (d) => [
    ...(
      [
        [1, 7, 64],
        [3, 5, 96],
        [33, 6, 200],
        [2, 3, 9],
      ] as const
    ).map(([m, out, width], i) => linear(sample(d, [m, width]), packed(d, format, out, width), i === 1 ? sample(d, [out]) : undefined)),
    linear(sample(d, [2, 96], "f16"), packed(d, format, 4, 96, "f16")),
    o.linear(sample(d, [2, 96]), o.rows(call(packed(d, format, 12, 96)), 3, 11)),
  ],
  nonsmooth,
  tolerance: { relative: 1e-4, absolute: 2, reason: "sums of up to 200 products of numbers up to 300; some are rounded to f16" },
}));

export const packedViews: readonly ConformanceCase[] = [
  ...[INT8_ROWS, TABLE4, AWQ].map((format): ConformanceCase => ({
    name: `dequantize: ${format.name}, rows by number`,
    build: (d) => {
      const w = call(packed(d, format, 256, 20 * format.block, "bf16"));
      const ids = d.tensor(Int32Array.of(255, 0, -1, 9, 9, 256), { shape: [2, 3] });
      return [o.gather(w, ids), o.embedding(o.cast(w, "f32"), o.cast(d.tensor([17]), "u8"))];
    },
    nonsmooth,
    tolerance: { relative: 1e-6, absolute: 1e-6, reason: "values are rounded to bf16 once" },
  })),
  {
    name: "quantLinear: a block of columns that is not full at the end of a row",
    build: (d) => {
      const w = packed(d, FP8_TILES, 131, 201);
      return [1, 3, 18].map((rows) => linear(sample(d, [rows, 201]), w));
    },
    nonsmooth,
    tolerance: { ...products(201), absolute: 0.1 },
  },
  {
    name: "quantLinear: the gradients of x and bias, of parts that are computed",
    build: (d) => {
      const absmax = o.cast(o.abs(sample(d, [7], "i32")), "f32");
      const w: PackedWeight = { format: INT8_ROWS, shape: [7, 9], parts: { codes: sample(d, [7, 9], "i8"), absmax: o.div(absmax, 64) } };
      return [linear(sample(d, [3, 9]), w, sample(d, [7])), o.matmul(call(w), sample(d, [9, 2]))];
    },
    tolerance: products(9),
  },
  {
    name: "quantLinear: parts that are views of others",
    build: (d) => {
      const codes = sample(d, [50, 40], "i8");
      const absmax = positive(d, [60]);
      const of = (part: Tensor, from: number, out: number, width: number): PackedWeight => ({
        format: INT8_ROWS,
        shape: [out, width],
        parts: { codes: part, absmax: o.rows(absmax, from, from + out) },
      });
      const rows = of(o.rows(codes, 3, 20), 3, 17, 40);
      const columns = of(o.slice(codes, [undefined, [1, 30]]), 0, 50, 29);
      const turned = of(o.transpose(codes), 2, 40, 50);
      return [rows, columns, turned].flatMap((w) => [
        linear(sample(d, [1, w.shape[1]]), w),
        linear(sample(d, [7, w.shape[1]]), w),
        linear(sample(d, [33, w.shape[1]]), w),
        o.mul(call(w), 2),
      ]);
    },
    nonsmooth,
    tolerance: { ...products(50), absolute: 1e-3 },
  },
];
