import { fileURLToPath } from "node:url";
import {
  CARTRIDGE,
  CPT,
  cptLoss,
  initPrompt,
  MULTITASK_PROMPT_TUNING,
  P_TUNING,
  PREFIX_TUNING,
  PROMPT_TUNING,
  promptConfig,
  type PromptConfigFields,
  promptLabels,
  type PromptMethod,
  promptOf,
  withPrompt,
} from "@weft/adapters-prompt";
import { openWeights } from "@weft/io-safetensors/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { LlamaForCausalLM } from "@weft/models";
import { compile, Device, mul, type Params, reshape, slice, softmaxCrossEntropy, sub, type Tensor, valueAndGrad } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readJson } from "./peft/files.js";

const HOME = fileURLToPath(new URL("../../../fixtures/peft/llama_base", import.meta.url));
let device: Device;
let model: LlamaForCausalLM;
let ids: Tensor;
let mask: Tensor;

beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1 }));
  const source = await openWeights(HOME);
  model = await LlamaForCausalLM.load(readJson(HOME, "config.json"), source, { device });
  await source.close();
  const ints = (f: (i: number) => number): Tensor =>
    device.tensor(
      Int32Array.from({ length: 16 }, (_, i) => f(i)),
      { shape: [2, 8] },
    );
  ids = ints((i) => (i * 7 + 3) % 60);
  mask = ints((i) => (i === 8 || i === 9 ? 0 : 1)); // padding on the left of row 1
});
afterAll(() => device.dispose());

/** Next-token loss of the tiny Llama behind a prompt. */
function lossOf<C extends PromptConfigFields>(method: PromptMethod<C>, config: C, params: Params): Tensor {
  const tasks = method.name === MULTITASK_PROMPT_TUNING.name ? device.tensor(Int32Array.of(1, 0)) : undefined;
  const prompt = promptOf(method, config, method.encode(params, config), tasks ? { tasks } : {});
  const { logits } = model.forward(withPrompt(prompt, { inputIds: ids, attentionMask: mask }));
  if (method.name === CPT.name) return cptLoss(logits, ids, config as never);
  const [batch, length, vocabulary] = logits.shape as [number, number, number];
  return softmaxCrossEntropy(
    reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]),
    reshape(slice(promptLabels(prompt, ids), [undefined, [1, length]]), [-1]),
  );
}

async function train<C extends PromptConfigFields>(method: PromptMethod<C>, fields: object, rate: number): Promise<void> {
  const config = promptConfig(method, { numVirtualTokens: 3, taskType: "CAUSAL_LM", ...fields }, model.config);
  const wordEmbeddings = model.weights.get("model.embed_tokens.weight")!;
  const drawn = await initPrompt(method, config, { seed: 2, wordEmbeddings });
  // PEFT starts the task matrices so small that RMSNorm is far from linear over the step below.
  const start = Object.fromEntries(Object.entries(drawn).map(([name, t]) => [name, name.startsWith("prefix_task") ? mul(t, 25) : t]));
  await device.evaluate(Object.values(start));
  const specs = method.parameters(config);
  const trained = (p: Params): Params => Object.fromEntries(Object.entries(p).filter(([name]) => specs[name]!.trainable));
  const loss = (p: Params): Tensor => lossOf(method, config, { ...start, ...p });
  const step = compile((p: Params) => valueAndGrad(loss)(p), { device });

  const first = (await step(trained(start))) as { value: Tensor; grads: Params };
  for (const [name, tensor] of Object.entries(trained(start))) {
    const values = (await tensor.data()) as Float32Array;
    const slope = (await first.grads[name]!.data()) as Float32Array;
    const k = slope.reduce((best, v, i) => (Math.abs(v) > Math.abs(slope[best]!) ? i : best), 0);
    const at = (d: number): Promise<number> =>
      loss({
        ...trained(start),
        [name]: device.tensor(
          values.map((v, i) => (i === k ? v + d : v)),
          { shape: tensor.shape },
        ),
      }).item();
    // The loss is 4 with 24 bits: its difference quotient is good to 4·2^-23 / 0.004, plus the third derivative, largest where virtual tokens are small.
    expect(Math.abs(((await at(0.002)) - (await at(-0.002))) / 0.004 - slope[k]!), name).toBeLessThan(4e-4 + 0.02 * Math.abs(slope[k]!));
  }

  let p = trained(start);
  let last = Infinity;
  for (let i = 0; i < 20; i++) {
    const { value, grads } = (await step(p)) as { value: Tensor; grads: Params };
    last = await value.item();
    const moved = Object.fromEntries(Object.entries(p).map(([name, t]) => [name, sub(t, mul(grads[name]!, rate))]));
    const next = trained(method.project?.({ ...start, ...moved }, config) ?? moved);
    await device.evaluate(Object.values(next));
    p = next;
  }
  expect(last).toBeLessThan((await first.value.item()) - 0.02);
  step.dispose();
}

describe("a prompt trains through the whole model: slopes are the difference quotients', and the loss falls", () => {
  it.each<[string, () => Promise<void>]>([
    ["prompt tuning", () => train(PROMPT_TUNING, {}, 5)],
    ["p-tuning, MLP", () => train(P_TUNING, { encoderHiddenSize: 8 }, 1)],
    ["p-tuning, LSTM", () => train(P_TUNING, { encoderHiddenSize: 6, encoderReparameterizationType: "LSTM" }, 1)],
    ["prefix tuning", () => train(PREFIX_TUNING, {}, 2)],
    ["prefix tuning, projection", () => train(PREFIX_TUNING, { prefixProjection: true, encoderHiddenSize: 8 }, 1)],
    ["multitask", () => train(MULTITASK_PROMPT_TUNING, { numTasks: 2, numRanks: 2 }, 1)],
    ["cartridge", () => train(CARTRIDGE, {}, 2)],
    [
      "CPT",
      () =>
        train(
          CPT,
          { cptTokenIds: [4, 8, 15, 16], cptTokensTypeMask: [1, 2, 3, 4], optProjectionEpsilon: 9, optProjectionFormatEpsilon: 9 },
          1,
        ),
    ],
  ])("%s", (_, run) => run());
});
