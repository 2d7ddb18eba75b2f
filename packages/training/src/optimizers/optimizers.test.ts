import { describe, expect, it } from "vitest";
import { tensor, type Tensor, zeros } from "@weft/tensor-core";
import { emaStep } from "./ema.js";
import type { Now } from "./optimizer.js";
import { parameterGroup } from "./parameter-groups.js";
import { type OptimizerName, optimizerOf, OPTIMIZERS } from "./table.js";

const now: Now = { lr: tensor(0.1), step: tensor(1) };
const drawn = (shape: readonly number[]): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i + 1)),
    { shape },
  );
};

describe.each(Object.keys(OPTIMIZERS) as OptimizerName[])("%s", (name) => {
  it("keeps what its step returns: the same names, shapes and dtypes", () => {
    const { optimizer, hyper } = optimizerOf(name);
    for (const shape of name === "muon" ? [[4, 3]] : [[4, 3], [5], [64, 65]]) {
      const state = optimizer.state(zeros(shape), hyper);
      const next = optimizer.step(drawn(shape), drawn(shape), state, hyper, now);
      const form = (s: typeof state): unknown => Object.fromEntries(Object.entries(s).map(([key, t]) => [key, `${t.dtype}[${t.shape}]`]));
      expect(form(next.state)).toEqual(form(state));
      expect(next.param.shape).toEqual(shape);
    }
  });

  it("moves against the gradient, and by nothing at rate 0", async () => {
    const { optimizer, hyper } = optimizerOf(name, name === "adafactor" ? { relativeStep: false } : {});
    const [param, grad] = [zeros([4, 3]), drawn([4, 3])];
    const at = async (lr: number): Promise<readonly number[]> => {
      const { param: next } = optimizer.step(param, grad, optimizer.state(param, hyper), hyper, { ...now, lr: tensor(lr) });
      return [...(await next.data())];
    };
    const g = await grad.data();
    expect((await at(0.1)).reduce((sum, x, i) => sum + x * g[i]!, 0)).toBeLessThan(0);
    expect((await at(0)).every((x) => x === 0)).toBe(true);
  });
});

it("eight bits are for parameters from 4096 elements on", () => {
  const state = (shape: readonly number[]): string =>
    OPTIMIZERS.adamw_8bit.state(zeros(shape), OPTIMIZERS.adamw_8bit.defaults)["state1"]!.dtype;
  expect([state([4095]), state([4096])]).toEqual(["f32", "u8"]);
});

it.each([
  [() => optimizerOf("adamw"), 'optim is "adamw"'],
  [() => optimizerOf("sgd", { beta1: 0.9 }), "SGD has no beta1"],
  [() => optimizerOf("sgd", { momentum: "0.9" }), "expected a number"],
  [() => OPTIMIZERS.muon.state(zeros([3]), OPTIMIZERS.muon.defaults), "Muon steps matrices, a parameter is [3]"],
  [() => OPTIMIZERS.sgd.step(zeros([1]), zeros([1]), {}, { ...OPTIMIZERS.sgd.defaults, nesterov: true }, now), "momentum above 0"],
  [() => OPTIMIZERS.sgd.step(zeros([1]), zeros([1]), {}, { ...OPTIMIZERS.sgd.defaults, nesterov: true, dampening: 0.1 }, now), "dampening"],
])("says what is wrong: %s", (call, message) => {
  expect(call).toThrow(message);
});

it("biases and norms do not decay; LoRA+ gives B and vectors a higher rate, and embeddings their own", () => {
  const group = (name: string, shape = [2, 2]): unknown =>
    Object.values(parameterGroup(name, shape, { learningRate: 1e-4, loraplusLrRatio: 16 }));
  expect(group("layers.0.q_proj.lora_A.weight")).toEqual([1, true]);
  expect(group("layers.0.q_proj.lora_B.weight")).toEqual([16, true]);
  expect(group("layers.0.q_proj.bias", [2])).toEqual([16, false]);
  expect(group("layers.0.input_layernorm.weight", [2])).toEqual([16, false]);
  expect(group("layers.0.norm.weight", [2])).toEqual([16, false]);
  expect(group("normal.weight")).toEqual([1, true]);
  expect(group("embed_tokens.lora_embedding_B")).toEqual([1e-6 / 1e-4, true]);
  expect(parameterGroup("h.0.ln_1.weight", [2], { learningRate: 1, isNorm: true })).toEqual({ lrScale: 1, decays: false });
  expect(parameterGroup("q_proj.lora_B.weight", [2, 2], { learningRate: 1 })).toEqual({ lrScale: 1, decays: true });
});

it("an average follows its parameter", async () => {
  expect(await emaStep(tensor(1), tensor(3), 0.75).item()).toBe(1.5);
});
