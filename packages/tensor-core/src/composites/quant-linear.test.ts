import { expect, it } from "vitest";
import { callComposite } from "../composite.js";
import { tensor } from "../ops/create.js";
import { matmul } from "../ops/linear.js";
import { swapLast } from "../ops/movement.js";
import type { Program } from "../plan/plan.js";
import { QUANT_LINEAR, type QuantLinearAttrs } from "./quant-linear.js";

const decode: Program = {
  shape: [4, 3],
  reduced: 0,
  outputs: [{ value: 7, perRow: false }],
  instructions: [
    { op: "index", dtype: "i32", axis: 0 },
    { op: "index", dtype: "i32", axis: 1 },
    { op: "add", dtype: "i32", a: 0, b: 1 },
    { op: "const", dtype: "i32", value: 4 },
    { op: "min", dtype: "i32", a: 2, b: 3 },
    { op: "lookup", dtype: "f32", input: 0, a: 4 },
    { op: "load", dtype: "f32", input: 1 },
    { op: "add", dtype: "f32", a: 5, b: 6 },
  ],
};
const steps = [0.5, -1, 2, 4, 8];
const table = tensor(steps);
const offsets = tensor(
  Float32Array.from({ length: 12 }, (_, i) => i / 4),
  { shape: [4, 3] },
);
const weight = tensor(
  Float32Array.from({ length: 12 }, (_, i) => steps[Math.min(4, Math.floor(i / 3) + (i % 3))]! + i / 4),
  { shape: [4, 3] },
);

it.each([false, true])("a call is the product with what its program decodes; transposed: %s", async (transposed) => {
  const x = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i - 5),
    { shape: transposed ? [3, 4] : [4, 3] },
  );
  const attrs = { decode, transposed, dtype: "f32" } as QuantLinearAttrs;
  const [y] = callComposite(QUANT_LINEAR, [x, table, offsets], attrs);
  expect(await y!.data()).toEqual(await matmul(x, transposed ? weight : swapLast(weight)).data());
});
