import { expect, it } from "vitest";
import { compile } from "../compile.js";
import { dequantize } from "../composites/dequantize.js";
import { quantLinear } from "../composites/quant-linear.js";
import { referenceDevice } from "../device.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { tensor } from "../ops/create.js";
import { linear, matmul } from "../ops/linear.js";
import { reshape, rows, transpose } from "../ops/movement.js";
import { planGraph } from "../plan/plan-graph.js";
import { readFixture } from "../testing/own-format/read-fixture.js";
import { bytesPerRow, type PackedWeight } from "./format.js";
import { INT8_ROWS, quantizeInt8 } from "./int8.js";

/** What bitsandbytes computed (fixtures/make_quant.py). */
const fixture = readFixture("quant/int8.safetensors");

const [CB, SCB] = [fixture("CB"), fixture("SCB")];
const packed: PackedWeight = { format: INT8_ROWS, shape: CB.shape as [number, number], parts: { codes: CB, absmax: SCB } };

it("the weight is bitsandbytes', bit for bit, and so are its codes and row maxima, of a row of zeros too", async () => {
  expect(await dequantize(packed).data()).toEqual(await fixture("dequant").data());
  const { codes, absmax } = quantizeInt8(fixture("weight")).parts;
  expect(await codes!.data()).toEqual(await CB.data());
  expect(await absmax!.data()).toEqual(await SCB.data());
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

it("a compiled function that closes over a packed weight holds its parts, not its values", async () => {
  const [weight, turned] = [dequantize(packed), transpose(reshape(dequantize(packed), [24, 192]))];
  const step = compile((x: Tensor) => [linear(x, weight), matmul(reshape(x, [1, 192]), turned)], { device: referenceDevice() });
  const { captured } = await step.prepare(tensor(new Float32Array(192), { shape: [2, 96] }));
  expect(captured.map(({ node }) => node).toSorted((a, b) => a.id - b.id)).toEqual([CB.node, SCB.node]);
});

it("what is missing or of another shape or dtype is named", () => {
  expect(() => dequantize({ ...packed, parts: { codes: CB } })).toThrow("int8-rows of [48,96]: part absmax is missing, expected [48]");
  expect(() => dequantize({ ...packed, parts: { codes: rows(CB, 0, 3), absmax: SCB } })).toThrow("part codes is [3,96], expected [48,96]");
  expect(() => dequantize({ ...packed, parts: { codes: CB, absmax: cast(SCB, "f16") } })).toThrow("part absmax is f16, expected f32");
  expect(bytesPerRow(INT8_ROWS, [48, 96])).toBe(100);
});
