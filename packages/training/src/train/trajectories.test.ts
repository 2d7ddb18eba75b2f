import { ADAPTER_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { reshape, slice, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { device, fixture, gap, jsonFixture, tensorsOf } from "../testing/fixtures.js";
import type { Batch } from "./batch.js";
import { train } from "./train.js";

interface Expected {
  readonly steps: number;
  readonly lr: number;
  readonly clip: number;
  readonly logs: { readonly [method: string]: readonly { readonly loss: number; readonly grad_norm: number }[] };
}

const { steps, lr, clip, logs } = jsonFixture<Expected>("trajectories", "expect.json");
const model = await loadPretrained(fixture("models", "llama"), { device });
const ref = await tensorsOf(fixture("trajectories", "ref.safetensors"));
const batches = await tensorsOf(fixture("models", "train_llama", "ref.safetensors"));

async function rowsOf(name: string, step: number): Promise<number[][]> {
  const all: Tensor = batches.get(name)!;
  const [, rows, length] = all.shape as [number, number, number];
  const values = [...(await reshape(slice(all, [[step, step + 1]]), [rows * length]).data())];
  return Array.from({ length: rows }, (_, r) => values.slice(r * length, (r + 1) * length));
}
const data: Batch[] = [];
for (let s = 0; s < steps; s++) data.push({ inputIds: await rowsOf("input_ids", s), labels: await rowsOf("labels", s) });

it.each(Object.keys(logs))("%s takes PEFT's steps", async (method) => {
  const peft = await loadPeftModel<CausalInputs, CausalOutput>(model, fixture("trajectories", method), { methods: ADAPTER_METHODS });
  const settings = { maxSteps: steps, learningRate: lr, maxGradNorm: clip, lrSchedulerType: "constant", weightDecay: 0 };
  for await (const { step, loss, gradNorm } of train(peft, data, settings)) {
    const want = logs[method]![step - 1]!;
    expect([step, Math.abs(loss - want.loss)]).toSatisfy(([, error]: number[]) => error! < 1e-4);
    expect([step, Math.abs(gradNorm - want.grad_norm)]).toSatisfy(([, error]: number[]) => error! < 1e-4 * Math.max(1, want.grad_norm));
  }
  const state = stateDict(peft.state("default"));
  const wanted = [...ref].filter(([name]) => name.startsWith(`${method}.`));
  expect(wanted.length).toBeGreaterThan(0);
  for (const [name, want] of wanted) {
    const got = state.get(name.slice(method.length + 1));
    expect([name, got?.shape]).toEqual([name, want.shape]);
    expect([name, await gap(got!, want)]).toSatisfy(([, error]: [string, number]) => error < 2e-4);
  }
});
