import { LORA, LoraConfig } from "@weft/adapters-lora";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { type LayerHook, LlamaForCausalLM } from "@weft/models";
import {
  adamwStep,
  compile,
  Device,
  forwardAdapters,
  reshape,
  sizeOf,
  slice,
  softmaxCrossEntropy,
  type Tensor,
  valueAndGrad,
  zeros,
} from "@weft/tensor-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readJson } from "./peft/files.js";

type LoraParams = { readonly [path: string]: { readonly [name: string]: Tensor } };

const HOME = new URL("../../../fixtures/peft/llama_base", import.meta.url).pathname;
const config = new LoraConfig({ r: 4, loraAlpha: 8 });
let device: Device;
let model: LlamaForCausalLM;
let params: LoraParams;
let ids: Tensor;

beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1 }));
  const source = await openWeights(HOME);
  model = await LlamaForCausalLM.load(readJson(HOME, "config.json"), source, { device });
  await source.close();
  const targets = model.layers().filter(({ path }) => /(q_proj|v_proj|down_proj)$/.test(path));
  params = Object.fromEntries(
    targets.map(({ path, layer }, n) => {
      const specs = Object.entries(LORA.parameters(config, layer));
      return [
        path,
        Object.fromEntries(
          specs.map(([name, { shape }]) => [
            name,
            device.tensor(
              Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 0.7 + n) * 0.1),
              { shape },
            ),
          ]),
        ),
      ];
    }),
  );
  ids = device.tensor(
    Int32Array.from({ length: 32 }, (_, i) => (i * 7) % 60),
    { shape: [2, 16] },
  );
});
afterAll(() => device.dispose());

/** Next-token loss of the tiny Llama with LoRA. */
function loss(p: LoraParams, inputIds: Tensor): Tensor {
  const hook: LayerHook = (path, layer, base, x) =>
    p[path] && forwardAdapters(layer, base, [{ method: LORA, params: p[path], context: { layer, config, scale: 1 } } as never], x);
  const { logits } = model.forward({ inputIds }, hook);
  const [batch, length, vocabulary] = logits.shape as [number, number, number];
  return softmaxCrossEntropy(
    reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]),
    reshape(slice(inputIds, [undefined, [1, length]]), [-1]),
  );
}

it("gradients through the whole model equal finite differences", async () => {
  const step = compile((p: LoraParams, x: Tensor) => valueAndGrad(loss)(p, x).grads, { device });
  const grads = (await step(params, ids)) as LoraParams;
  for (const path of Object.keys(params)) {
    for (const name of ["A", "B"]) {
      const [tensor, gradient] = [params[path]![name]!, await grads[path]![name]!.data()];
      const values = (await tensor.data()) as Float32Array;
      const at = async (i: number, d: number): Promise<number> =>
        loss(
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
        ).item();
      for (const i of [0, values.length - 1]) {
        const slope = ((await at(i, 0.01)) - (await at(i, -0.01))) / 0.02;
        // The loss is 4 with 24 bits: its difference quotient over 0.02 is good to 4·2^-23 / 0.02, plus the third derivative.
        expect(Math.abs(gradient[i]! - slope)).toBeLessThan(1e-4);
      }
    }
  }
});

it("a compiled step of AdamW replays one plan and lowers the loss", async () => {
  const start = (): LoraParams =>
    Object.fromEntries(
      Object.entries(params).map(([path, p]) => [path, Object.fromEntries(Object.entries(p).map(([n, t]) => [n, zeros(t.shape)]))]),
    );
  const step = compile(
    (p: LoraParams, m: LoraParams, v: LoraParams, t: Tensor, x: Tensor) => {
      const { value, grads } = valueAndGrad(loss)(p, x);
      const next = { p: {}, m: {}, v: {} } as Record<"p" | "m" | "v", Record<string, Record<string, Tensor>>>;
      for (const path of Object.keys(p)) {
        for (const kind of ["p", "m", "v"] as const) next[kind][path] = {};
        for (const name of Object.keys(p[path]!)) {
          const updated = adamwStep(
            { p: p[path]![name]!, g: grads[path]![name]!, m: m[path]![name]!, v: v[path]![name]!, lr: device.tensor(0.02), step: t },
            { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.01 },
          );
          for (const kind of ["p", "m", "v"] as const) next[kind][path]![name] = updated[kind];
        }
      }
      return { value, ...next };
    },
    { device },
  );
  let state = { p: params, m: start(), v: start() };
  const losses: number[] = [];
  for (let t = 1; t <= 60; t++) {
    const { value, p, m, v } = await step(state.p, state.m, state.v, device.tensor(t), ids);
    state = { p, m, v };
    losses.push(await value.item());
  }
  expect(losses.at(-1)!).toBeLessThan(losses[0]! * 0.7);
});
