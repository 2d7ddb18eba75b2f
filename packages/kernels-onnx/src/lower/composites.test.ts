import { attention, layerNorm, placeholder, planGraph, rmsNorm, softmax, swiglu, type Tensor, update } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { operatorsOf } from "../model/reader.js";
import { COMPOSITES } from "./composites.js";
import { lowerPlan } from "./lower-plan.js";

/** The operators that a function of f32 tensors of these shapes becomes. */
function operators(shapes: readonly (readonly number[])[], f: (...inputs: Tensor[]) => Tensor): string[] {
  const inputs = shapes.map((shape) => placeholder({ shape, dtype: "f32" }));
  const { plan } = planGraph([f(...inputs)], inputs, (call) => COMPOSITES[call.name]?.claims(call, "f32") ?? false);
  return operatorsOf(lowerPlan(plan).graph.model());
}

const [heads, cache] = [
  [1, 9, 1, 64],
  [1, 3, 128, 64],
];

it.each<[string, readonly (readonly number[])[], (...inputs: Tensor[]) => Tensor, readonly string[]]>([
  ["rmsNorm", [[2, 64], [64]], (x, w) => rmsNorm(x!, w!, 1e-5), ["RMSNormalization"]],
  ["layerNorm", [[2, 64], [64], [64]], (x, w, b) => layerNorm(x!, w!, b!, 1e-5), ["LayerNormalization"]],
  ["softmax", [[2, 64]], (x) => softmax(x!), ["Softmax"]],
  [
    "swiglu",
    [
      [2, 64],
      [2, 64],
    ],
    (gate, up) => swiglu(gate!, up!),
    ["QuickGelu", "Mul"],
  ],
  ["attention of one query", [heads, cache, cache], (q, k, v) => attention(q!, k!, v!), ["FusedMatMul", "Softmax", "MatMul"]],
  ["attention of many", [[1, 9, 32, 64], cache, cache], (q, k, v) => attention(q!, k!, v!), ["Attention"]],
])("%s is the runtime's", (_, shapes, f, expected) => {
  expect(operators(shapes, f).filter((op) => op !== "Reshape")).toEqual(expected);
});

it("writes into a cache in one go", () => {
  const [base, value] = [placeholder({ shape: cache!, dtype: "f32" }), placeholder({ shape: [1, 3, 1, 64], dtype: "f32" })];
  const at = placeholder({ shape: [1], dtype: "i32" });
  const { plan } = planGraph([update(base, value, at, [2])], [base, value, at], () => false);
  expect(operatorsOf(lowerPlan(plan).graph.model()).filter((op) => ["TensorScatter", "Slice", "Concat"].includes(op))).toEqual([
    "TensorScatter",
  ]);
});
