import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readTensor } from "@weft/adapter-files";
import { openWeights } from "@weft/io-safetensors/node";
import { createNodeWebGpuBackend } from "@weft/kernels-webgpu/node";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { stateDict } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { Device } from "@weft/tensor-core";
import { train } from "@weft/training";
import { openCheckpoint, saveTo } from "@weft/training/node";
import { afterAll, beforeAll, expect, it } from "vitest";

const fixture = (path: string): string => fileURLToPath(new URL(`../../../fixtures/models/${path}`, import.meta.url));
const home = mkdtempSync(join(tmpdir(), "weft-webgpu-training-"));
let device: Device;
beforeAll(async () => {
  // SwiftShader zeroes workgroup memory by one store per element and compiles that for seconds.
  device = new Device(await createNodeWebGpuBackend({ dawnFlags: ["enable-dawn-features=disable_workgroup_init"] }));
});
afterAll(() => {
  device.dispose();
  rmSync(home, { recursive: true, force: true });
});

/** Rows of batches of a list of numbers. */
const batchesOf = (values: ArrayLike<number>, [count, rows, length]: readonly [number, number, number]): number[][][] =>
  Array.from({ length: count }, (_, b) =>
    Array.from({ length: rows }, (__, r) => Array.from(values).slice((b * rows + r) * length, (b * rows + r + 1) * length)),
  );

it("a training on WebGPU has the losses of torch, and goes on from its checkpoint", { timeout: 120_000 }, async () => {
  const folder = fixture("train_llama");
  const { log, lr, warmup, clip, weight_decay, eps, betas } = JSON.parse(readFileSync(join(folder, "expect.json"), "utf8")) as {
    readonly log: readonly { readonly loss: number; readonly grad_norm: number }[];
    readonly [setting: string]: unknown;
  };
  const model = await loadPretrained(fixture("llama"), { device });
  const source = await openWeights(join(folder, "ref.safetensors"));
  const [ids, labels] = [await readTensor(source, "input_ids"), await readTensor(source, "labels")];
  const shape = ids.shape as readonly [number, number, number];
  const [inputIds, wanted] = [batchesOf(await ids.data(), shape), batchesOf(await labels.data(), shape)];
  await source.close();
  const data = inputIds.map((rows, i) => ({ inputIds: rows, labels: wanted[i]! }));
  const [beta1, beta2] = betas as [number, number];
  const settings = {
    maxSteps: log.length,
    learningRate: lr as number,
    lrSchedulerType: "cosine",
    warmupSteps: warmup as number,
    maxGradNorm: clip as number,
    weightDecay: weight_decay as number,
    adamBeta1: beta1,
    adamBeta2: beta2,
    adamEpsilon: eps as number,
    device,
    saveSteps: 2,
    save: saveTo(home),
  };
  const check = ({ step, loss, gradNorm }: { readonly step: number; readonly loss: number; readonly gradNorm: number }): void => {
    expect(Math.abs(loss - log[step - 1]!.loss)).toBeLessThan(1e-4);
    expect(Math.abs(gradNorm - log[step - 1]!.grad_norm)).toBeLessThan(1e-3);
  };
  const first = await loadPeftModel(model, join(folder, "initial"), { methods: LORA_METHODS });
  for await (const record of train(first as never, data, settings)) {
    check(record);
    if (record.step === 2) break;
  }
  const { folder: last, resume } = await openCheckpoint(home, { device });
  const again = await loadPeftModel(model, last, { methods: LORA_METHODS });
  const seen: number[] = [];
  for await (const record of train(again as never, data, { ...settings, resume })) {
    check(record);
    seen.push(record.step);
    if (record.step === 4) break;
  }
  expect(seen).toEqual([3, 4]);
  for (const t of stateDict(again.state("default")).values()) expect((await t.data()).every(Number.isFinite)).toBe(true);
});
