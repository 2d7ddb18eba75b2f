import { expect, it } from "vitest";
import { compile } from "../compile.js";
import { dequantize, quantLinear } from "../composites/dequantize.js";
import { loraLinear } from "../composites/lora-linear.js";
import { referenceDevice } from "../device.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { tensor, zeros } from "../ops/create.js";
import { embedding, linear, matmul } from "../ops/linear.js";
import { add } from "../ops/elementwise.js";
import { reshape, rows, transpose } from "../ops/movement.js";
import { sum } from "../ops/reduce.js";
import { gradients } from "../transforms/grad.js";
import { planGraph } from "../plan/plan-graph.js";
import { readFixture } from "../testing/own-format/read-fixture.js";
import { bytesPerRow, type Format, type PackedWeight } from "./format.js";
import { INT8_ROWS } from "./int8.js";

/** What bitsandbytes computed (fixtures/make_quant.py). */
const fixture = readFixture("quant/int8.safetensors");

const [CB, SCB] = [fixture("CB"), fixture("SCB")];
const packed: PackedWeight = { format: INT8_ROWS, shape: CB.shape as [number, number], parts: { codes: CB, absmax: SCB } };

it("the weight is bitsandbytes', bit for bit", async () => {
  expect(await dequantize(packed).data()).toEqual(await fixture("dequant").data());
});

it("quantLinear is bitsandbytes' product of f32 activations", async () => {
  const [y, expected] = [await quantLinear(cast(fixture("x"), "f32"), packed).data(), await fixture("y_w8a16").data()];
  expected.forEach((v, i) => expect(Math.abs(y[i]! - v)).toBeLessThan(1e-5 * Math.max(1, Math.abs(v))));
});

it("rows read those rows of the parts", () => {
  const { plan } = planGraph([rows(dequantize(packed), 10, 15)], [], () => false);
  expect(plan.steps).toHaveLength(1);
  expect(plan.steps[0]!.inputs.map(({ shape, offset }) => [shape[0], offset])).toEqual([
    [5, 10 * 96],
    [5, 10],
  ]);
});

it("rows by number read those rows of the parts", () => {
  const { plan } = planGraph([embedding(dequantize(packed), tensor(Int32Array.of(3, 40)))], [], () => false);
  const written = plan.steps.flatMap(({ outputs }) => outputs.map(({ shape }) => shape));
  expect(written.every(([rows]) => rows === 2)).toBe(true);
  expect(plan.steps.filter((step) => step.kind === "op" && step.op === "gather")).toHaveLength(2);
});

it("a number outside gives a row of 0, whatever the format makes of codes of 0", async () => {
  const shifted: Format = { ...INT8_ROWS, name: "shifted", decode: (parts, shape) => add(INT8_ROWS.decode(parts, shape), 1) };
  const values = await embedding(dequantize({ ...packed, format: shifted }), tensor(Int32Array.of(-1, 2, 48))).data();
  expect([...values.slice(0, 96), ...values.slice(2 * 96)]).toEqual(new Array(2 * 96).fill(0));
  expect(values.slice(96, 2 * 96)).toEqual(await add(rows(dequantize(packed), 2, 3), 1).data());
});

it("LoRA on a packed weight reads it as it lies, forward and backward", () => {
  const [x, a, b] = [zeros([3, 96]), zeros([4, 96]), zeros([48, 4])];
  const y = loraLinear(x, dequantize(packed), a, b, 2);
  const { plan } = planGraph([y, ...gradients(sum(y), [x, a])], [], ({ name }) => name === "quantLinear" || name.startsWith("lora"));
  expect(plan.steps.filter((step) => step.kind === "composite" && step.op === "quantLinear")).toHaveLength(2);
  expect(plan.buffers.every(({ role, bytes }) => role === "input" || bytes < 48 * 96)).toBe(true);
});

it("a compiled function that closes over a packed weight holds its parts, not its values", async () => {
  const [weight, turned] = [dequantize(packed), transpose(reshape(dequantize(packed), [24, 192]))];
  const step = compile((x: Tensor) => [linear(x, weight), matmul(reshape(x, [1, 192]), turned)], { device: referenceDevice() });
  const { captured } = await step.prepare(tensor(new Float32Array(192), { shape: [2, 96] }));
  expect(captured.map(({ node }) => node).toSorted((a, b) => a.id - b.id)).toEqual([CB.node, SCB.node]);
});

it("what is missing or of another shape or dtype is named", () => {
  expect(() => dequantize({ ...packed, parts: { codes: CB } })).toThrow("int8 of [48,96]: part absmax is missing, expected [48]");
  expect(() => dequantize({ ...packed, parts: { codes: rows(CB, 0, 3), absmax: SCB } })).toThrow("part codes is [3,96], expected [48,96]");
  expect(() => dequantize({ ...packed, parts: { codes: CB, absmax: cast(SCB, "f16") } })).toThrow("part absmax is f16, expected f32");
  expect(bytesPerRow(INT8_ROWS, [48, 96])).toBe(100);
});
