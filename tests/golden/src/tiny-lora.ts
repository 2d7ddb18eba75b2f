import { fileURLToPath } from "node:url";
import { LORA, LoraConfig } from "@weft/adapters-lora";
import { openWeights } from "@weft/io-safetensors/node";
import { type LayerHook, LlamaForCausalLM } from "@weft/models";
import {
  adamwStep,
  type Device,
  forwardAdapters,
  reshape,
  sizeOf,
  slice,
  softmaxCrossEntropy,
  type Tensor,
  valueAndGrad,
  zeros,
} from "@weft/tensor-core";
import { readJson } from "./peft/files.js";

/** The factors A and B of every adapted layer. */
export type LoraParams = { readonly [path: string]: { readonly [name: string]: Tensor } };

/** What a step of AdamW goes on from. */
export interface TrainState {
  readonly p: LoraParams;
  readonly m: LoraParams;
  readonly v: LoraParams;
}

/** LoRA on the q, v and down projections of a Llama of two layers, and its next-token loss. */
export interface TinyLora {
  readonly params: LoraParams;
  /** Two rows of 16 tokens. */
  readonly ids: Tensor;
  readonly loss: (p: LoraParams, inputIds: Tensor) => Tensor;
}

const HOME = fileURLToPath(new URL("../../../fixtures/peft/llama_base", import.meta.url));

export async function tinyLora(device: Device): Promise<TinyLora> {
  const config = new LoraConfig({ r: 4, loraAlpha: 8 });
  const source = await openWeights(HOME);
  const model = await LlamaForCausalLM.load(readJson(HOME, "config.json"), source, { device });
  await source.close();
  const targets = model.layers().filter(({ path }) => /(q_proj|v_proj|down_proj)$/.test(path));
  const factor = (shape: readonly number[], n: number): Tensor =>
    device.tensor(
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 0.7 + n) * 0.1),
      { shape },
    );
  const params = Object.fromEntries(
    targets.map(({ path, layer }, n) => {
      const specs = Object.entries(LORA.parameters(config, layer));
      return [path, Object.fromEntries(specs.map(([name, { shape }]) => [name, factor(shape, n)]))];
    }),
  );
  const ids = device.tensor(
    Int32Array.from({ length: 32 }, (_, i) => (i * 7) % 60),
    { shape: [2, 16] },
  );
  const loss = (p: LoraParams, inputIds: Tensor): Tensor => {
    const hook: LayerHook = (path, layer, base, x) =>
      p[path] && forwardAdapters(layer, base, [{ method: LORA, params: p[path], context: { layer, config, scale: 1 } } as never], x);
    const { logits } = model.forward({ inputIds }, hook);
    const [batch, length, vocabulary] = logits.shape as [number, number, number];
    return softmaxCrossEntropy(
      reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]),
      reshape(slice(inputIds, [undefined, [1, length]]), [-1]),
    );
  };
  return { params, ids, loss };
}

/** Moments of zeros for every parameter. */
export function startState(params: LoraParams): TrainState {
  const empty = (): LoraParams =>
    Object.fromEntries(
      Object.entries(params).map(([path, p]) => [path, Object.fromEntries(Object.entries(p).map(([n, t]) => [n, zeros(t.shape)]))]),
    );
  return { p: params, m: empty(), v: empty() };
}

/** One step of AdamW on all parameters, to be compiled. */
export function trainStep(
  device: Device,
  loss: TinyLora["loss"],
): (
  p: LoraParams,
  m: LoraParams,
  v: LoraParams,
  t: Tensor,
  x: Tensor,
) => { readonly [K in keyof TrainState]: LoraParams } & { readonly value: Tensor } {
  return (p, m, v, t, x) => {
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
  };
}
