import { createWasmBackend } from "@weft/kernels-wasm";
import { compile, Device, type Tensor, valueAndGrad } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LoraParams, startState, type TinyLora, tinyLora, trainStep } from "./tiny-lora.js";

let device: Device;
let tiny: TinyLora;

beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1 }));
  tiny = await tinyLora(device);
});
afterAll(() => device.dispose());

it("gradients through the whole model equal finite differences", async () => {
  const { params, ids } = tiny;
  const step = compile((p: LoraParams, x: Tensor) => valueAndGrad(tiny.loss)(p, x).grads, { device });
  const grads = (await step(params, ids)) as LoraParams;
  for (const path of Object.keys(params)) {
    for (const name of ["A", "B"]) {
      const [tensor, gradient] = [params[path]![name]!, await grads[path]![name]!.data()];
      const values = (await tensor.data()) as Float32Array;
      const at = async (i: number, d: number): Promise<number> =>
        tiny
          .loss(
            {
              ...params,
              [path]: {
                ...params[path],
                [name]: device.tensor(
                  values.map((v, k) => (k === i ? v + d : v)),
                  { shape: tensor.shape },
                ),
              },
            },
            ids,
          )
          .item();
      for (const i of [0, values.length - 1]) {
        const slope = ((await at(i, 0.01)) - (await at(i, -0.01))) / 0.02;
        // The loss is 4 with 24 bits: its difference quotient over 0.02 is good to 4·2^-23 / 0.02, plus the third derivative.
        expect(Math.abs(gradient[i]! - slope)).toBeLessThan(1e-4);
      }
    }
  }
});

it("a compiled step of AdamW replays one plan and lowers the loss", async () => {
  const step = compile(trainStep(device, tiny.loss), { device });
  let state = startState(tiny.params);
  const losses: number[] = [];
  for (let t = 1; t <= 60; t++) {
    const { value, p, m, v } = await step(state.p, state.m, state.v, device.tensor(t), tiny.ids);
    state = { p, m, v };
    losses.push(await value.item());
  }
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.7);
});
