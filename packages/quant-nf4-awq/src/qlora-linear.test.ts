import { Device, createReferenceBackend, linear, mul, sum, tensor, valueAndGrad } from "@weft/tensor-core";
import { expect, test } from "vitest";
import { dequantize, QLoraLinear, quantizeNF4, type QLoraParameters } from "./index.js";

const data = Float32Array.from({ length: 6 * 64 }, (_, i) => Math.sin(i * i));
const shape = [6, 64] as const;
const x = tensor(
  Float32Array.from({ length: 2 * 64 }, (_, i) => Math.cos(i)),
  { shape: [2, 64] },
);

test("a new layer computes with the weight in NF4, and trains what is beside it only", async () => {
  const bias = [1, 2, 3, 4, 5, 6];
  const layer = QLoraLinear.fromWeight({ data, shape }, { r: 2, loraAlpha: 3, groupSize: 32, bias });
  const weight = tensor(await dequantize(quantizeNF4({ data, shape }, { groupSize: 32 })), { shape });
  expect(await layer.forward(x).data()).toEqual(await linear(x, weight, tensor(bias)).data());
  expect([layer.groupSize, layer.trainableParameters, layer.scaling]).toEqual([32, 2 * (6 + 64), 1.5]);

  const loss = (parameters: QLoraParameters) => sum(mul(layer.forward(x, parameters), layer.forward(x, parameters)));
  const { grads } = valueAndGrad(loss)(layer.parameters());
  expect(Object.keys(grads)).toEqual(["loraA", "loraB"]);
  expect(
    (await grads.loraA.data()).every((g) => g === 0),
    "B is 0 yet",
  ).toBe(true);
  expect((await grads.loraB.data()).some((g) => g !== 0)).toBe(true);

  // y changes by scaling · (x·Aᵀ)·Bᵀ, as LoRA's formula says.
  const loraB = tensor(
    Float32Array.from({ length: 12 }, (_, i) => i / 10),
    { shape: [6, 2] },
  );
  const { loraA } = layer.parameters();
  layer.setParameters({ loraA, loraB });
  const change = await mul(linear(linear(x, loraA), loraB), 1.5).data();
  const before = await linear(x, weight, tensor(bias)).data();
  (await layer.forward(x).data()).forEach((y, i) => expect(y).toBeCloseTo(before[i]! + change[i]!, 4));
});

test("the first values of A are torch's, the same for one seed", async () => {
  const a = (seed: number) => QLoraLinear.fromWeight({ data, shape }, { r: 2, seed }).parameters().loraA.data();
  expect(await a(3)).toEqual(await a(3));
  expect(await a(3)).not.toEqual(await a(4));
});

test("a layer lies on the device that it was made for", async () => {
  const device = new Device(createReferenceBackend());
  const layer = QLoraLinear.fromWeight(
    [
      [1, -1],
      [0.5, 0],
    ],
    { r: 1, bias: [0, 1], device },
  );
  expect([...(await layer.forward(device.tensor([[1, 1]])).data())].map((v) => Math.round(v * 100) / 100)).toEqual([0, 1.44]);
});

test("what does not fit is refused", () => {
  expect(() => QLoraLinear.fromWeight([[1, 2], [3]])).toThrow("row 1 of the weight has 1 numbers, row 0 has 2");
  expect(() => QLoraLinear.fromWeight({ data, shape }, { r: 0 })).toThrow("r is 0, expected a whole number from 1 on");
  expect(() => QLoraLinear.fromWeight({ data, shape }, { bias: [1] })).toThrow("the bias has 1 numbers, the weight [6,64] gives 6");
  expect(() => quantizeNF4({ data, shape }, { groupSize: 10 })).toThrow("blocksize is 10");
  const layer = QLoraLinear.fromWeight({ data, shape }, { r: 2 });
  const { loraA, loraB } = layer.parameters();
  expect(() => layer.setParameters({ loraA: loraB, loraB: loraA })).toThrow("loraA is [6,2], expected [2,64]");
});
