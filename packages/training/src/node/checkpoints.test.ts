import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS, LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { flattenTree } from "@weft/tensor-core";
import { afterAll, describe, expect, it, vi } from "vitest";
import { runExample } from "../../../../scripts/run-example.mjs";
import { device, fixture, SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "../train/batch.js";
import { fullModel } from "../train/full-model.js";
import { train } from "../train/train.js";
import type { Trainee } from "../train/trainee.js";
import type { TrainingOptions } from "../train/training-options.js";
import { openCheckpoint } from "./open-checkpoint.js";
import { checkpointSteps, saveTo } from "./save-checkpoint.js";

const home = mkdtempSync(join(tmpdir(), "weft-checkpoints-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

type Peft = PeftModel<CausalInputs, CausalOutput>;
const model = await loadPretrained(fixture("models", "llama"), { device });
const CONFIG = Object.freeze({ ...SMALL_LORA, lora_dropout: 0.2 });
const fresh = (r = 2): Promise<Peft> =>
  getPeftModel<CausalInputs, CausalOutput>(model as never, Object.freeze({ ...CONFIG, r }), { methods: LORA_METHODS, seed: 3 });
const load = (folder: string): Promise<Peft> => loadPeftModel<CausalInputs, CausalOutput>(model, folder, { methods: LORA_METHODS });
const DATA: Batch[] = [0, 1, 2, 3, 4, 5].map((b) => {
  const inputIds = [0, 1].map((r) => Array.from({ length: 9 }, (_, i) => 3 + ((11 * b + 7 * r + 5 * i) % 90)));
  return { inputIds, labels: inputIds };
});

const COMMON: TrainingOptions = { learningRate: 1e-2, warmupSteps: 2, lrSchedulerType: "cosine" };
async function run(trainee: Trainee, options: TrainingOptions): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of train(trainee, DATA, { ...COMMON, ...options })) losses.push(loss);
  return losses;
}
const bytesOf = (...path: string[]): Buffer => readFileSync(join(...path));

describe("a training that goes on from a checkpoint", () => {
  it.each([
    ["with dropout", {}, 2],
    ["with micro-batches and a running average", { gradientAccumulationSteps: 2, emaDecay: 0.9 }, 2],
    ["with moments in eight bits", { optim: "adamw_8bit" }, 128],
    ["with Adafactor", { optim: "adafactor" }, 2],
  ] as const)("is the one that was not stopped, bit for bit: %s", async (tag, options: TrainingOptions, r) => {
    // Parameters large enough for states of eight bits take ranks that this model has no use for, which is said.
    if (r > 32) vi.spyOn(console, "warn").mockImplementation(() => {});
    const [whole, parts] = [join(home, `${tag} whole`), join(home, `${tag} parts`)];
    const all = await run(await fresh(r), { maxSteps: 20, save: saveTo(whole), ...options });
    const stopped = train(await fresh(r), DATA, {
      maxSteps: 20,
      learningRate: 1e-2,
      warmupSteps: 2,
      lrSchedulerType: "cosine",
      saveSteps: 10,
      save: saveTo(parts),
      ...options,
    });
    for await (const { step } of stopped) if (step === 10) break;
    expect(checkpointSteps(parts)).toEqual([10]);
    const { folder, resume, notes } = await openCheckpoint(parts, { device });
    expect(notes).toEqual([]);
    const rest = await run(await load(folder), { maxSteps: 20, save: saveTo(parts), resume, ...options });
    expect(rest).toEqual(all.slice(10));
    for (const file of ["adapter_model.safetensors", "optimizer.safetensors", "weft_state.json", "trainer_state.json"])
      expect([file, bytesOf(parts, "checkpoint-20", file).equals(bytesOf(whole, "checkpoint-20", file))]).toEqual([file, true]);
  });
});

it("a model's own weights go on, too; an AdaLoRA says that it cannot", async () => {
  const folder = join(home, "full");
  const options = { maxSteps: 4, learningRate: 1e-3 };
  const weights = async (trainee: Trainee): Promise<number[]> => {
    const all: number[] = [];
    for (const t of flattenTree(trainee.parameters()).leaves) all.push(...(await t.data()));
    return all;
  };
  const [whole, stopped, again] = [fullModel(model as never), fullModel(model as never), fullModel(model as never)];
  await run(whole, options);
  for await (const { step } of train(stopped, DATA, { ...COMMON, ...options, saveSteps: 2, save: saveTo(folder) })) if (step === 2) break;
  const { resume } = await openCheckpoint(folder, { device });
  await run(again, { ...options, resume });
  expect(await weights(again)).toEqual(await weights(whole));

  const config = Object.freeze({
    peft_type: "ADALORA",
    init_r: 4,
    target_r: 2,
    tinit: 1,
    tfinal: 1,
    total_step: 9,
    target_modules: ["q_proj"],
  });
  const adalora = await getPeftModel<CausalInputs, CausalOutput>(model as never, config, { methods: ADAPTER_METHODS, seed: 3 });
  expect(() => train(adalora, DATA, { maxSteps: 9, resume })).toThrow("AdaLoRA cannot go on");
});

describe("a checkpoint", () => {
  it("has the files and fields of HF's Trainer, and a list of them", async () => {
    const folder = join(home, "files");
    await run(await fresh(), { maxSteps: 3, evalData: DATA, evalSteps: 2, save: saveTo(folder) });
    const at = join(folder, "checkpoint-3");
    expect(readdirSync(folder)).toEqual(["checkpoint-3"]);
    expect(readdirSync(at).toSorted()).toEqual(
      [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "done.json",
        "optimizer.safetensors",
        "trainer_state.json",
        "weft_state.json",
      ].toSorted(),
    );
    const own = JSON.parse(bytesOf(at, "trainer_state.json").toString()) as { [field: string]: unknown };
    const theirs = JSON.parse(bytesOf(fixture("trainer_checkpoint"), "trainer_state.json").toString()) as { [field: string]: unknown };
    expect(Object.keys(own).toSorted()).toEqual(Object.keys(theirs).toSorted());
    expect(own).toMatchObject({
      global_step: 3,
      max_steps: 3,
      epoch: 0.5,
      num_input_tokens_seen: 54,
      best_global_step: expect.any(Number) as number,
    });
    expect(Object.keys((own["log_history"] as object[])[0]!).toSorted()).toEqual(["epoch", "grad_norm", "learning_rate", "loss", "step"]);
    const { files } = JSON.parse(bytesOf(at, "done.json").toString()) as { files: object };
    expect(Object.keys(files)).toHaveLength(6);
  });

  it("of the last steps and of the best evaluation is kept", async () => {
    const folder = join(home, "rotated");
    const records: number[] = [];
    const options = {
      maxSteps: 6,
      evalData: DATA.slice(0, 1),
      evalSteps: 1,
      saveSteps: 1,
      save: saveTo(folder, { saveTotalLimit: 2 }),
      learningRate: 2,
      lrSchedulerType: "constant",
    };
    for await (const { evaluation } of train(await fresh(), DATA, options)) records.push(evaluation!.loss);
    const best = records.indexOf(Math.min(...records)) + 1;
    expect(checkpointSteps(folder)).toEqual([...new Set([best, 5, 6])].sort((a, b) => a - b));
  });

  it("that was changed or lost a file is refused, and so is one of another optimiser or adapter", async () => {
    const folder = join(home, "damaged");
    await run(await fresh(), { maxSteps: 1, save: saveTo(folder) });
    const at = join(folder, "checkpoint-1");
    const spoilt = (name: string, spoil: (path: string) => void): Promise<unknown> => {
      const copy = join(home, name, "checkpoint-1");
      cpSync(at, copy, { recursive: true });
      spoil(copy);
      return openCheckpoint(copy);
    };
    const flip = (path: string): void => {
      const bytes = bytesOf(path, "optimizer.safetensors");
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(join(path, "optimizer.safetensors"), bytes);
    };
    await expect(spoilt("flipped", flip)).rejects.toMatchObject({
      kind: "bad-checkpoint",
      message: expect.stringContaining("not as it was written") as string,
    });
    await expect(spoilt("lost", (path) => rmSync(join(path, "adapter_model.safetensors")))).rejects.toThrow("is not there");
    await expect(spoilt("cut", (path) => writeFileSync(join(path, "optimizer.safetensors"), ""))).rejects.toThrow("has 0 bytes");
    await expect(spoilt("outside", (path) => writeFileSync(join(path, "done.json"), '{"files":{"../x":{}}}'))).rejects.toThrow(
      "leaves the folder",
    );
    await expect(openCheckpoint(home)).rejects.toMatchObject({ kind: "not-found" });
    const { resume } = await openCheckpoint(at, { device });
    const peft = await load(at);
    expect(() => train(peft, DATA, { resume, optim: "lion_8bit" })).toThrow("state1");
    const other = Object.freeze({ ...SMALL_LORA, r: 3 });
    const wider = await getPeftModel<CausalInputs, CausalOutput>(model as never, other, { methods: LORA_METHODS, seed: 3 });
    expect(() => train(wider, DATA, { resume })).toThrow(/the parameter .* expected \[3,/);
  });

  it("of HF's Trainer opens, with moments that begin anew, which is said", async () => {
    const { folder, resume, notes } = await openCheckpoint(fixture("trainer_checkpoint"), { device });
    expect(resume.position).toMatchObject({ step: 4, epoch: 1, batchesInEpoch: 0 });
    expect(resume.position.history.length).toBeGreaterThan(4);
    expect(notes.join("\n")).toMatch(/pickle[^]*within an epoch/);
    const losses = await run(await load(folder), { maxSteps: 6, resume });
    expect(losses).toHaveLength(2);
    expect(losses.every(Number.isFinite)).toBe(true);
  });
});

/** A program that kills itself, as another process, again and again, and goes on from what is left. */
const KILLED = `
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { train } from "@weft/training";
import { checkpointSteps, openCheckpoint, saveTo } from "@weft/training/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";

const [folder, llama, role] = process.argv.slice(2);
const STEPS = 12;
const inputIds = [[3, 14, 15, 92, 65, 35, 8], [9, 7, 9, 3, 2, 3, 8]];

async function learn(out) {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  const model = await loadPretrained(llama, { device });
  const last = checkpointSteps(out).length > 0 ? await openCheckpoint(out, { device }) : undefined;
  const config = { peft_type: "LORA", r: 2, target_modules: "all-linear" };
  const peft = last ? await loadPeftModel(model, last.folder, { methods: LORA_METHODS }) : await getPeftModel(model, config, { methods: LORA_METHODS, seed: 1 });
  const options = { maxSteps: STEPS, learningRate: 1e-2, saveSteps: 1, save: saveTo(out), resume: last?.resume };
  if (last?.resume.position.step === STEPS) return;
  for await (const { step } of train(peft, [{ inputIds, labels: inputIds }], options)) process.stdout.write("step " + step + "\\n");
}

if (role) await learn(folder);
else {
  await learn(join(folder, "whole"));
  let random = 7;
  const next = (n) => (random = (random * 48271) % 2147483647) % n;
  const out = join(folder, "killed");
  let kills = 0;
  for (;;) {
    const child = spawn(process.execPath, [process.argv[1], out, llama, "child"], { stdio: ["ignore", "pipe", "inherit"] });
    let left = 1 + next(3);
    child.stdout.on("data", (text) => {
      left -= String(text).split("step").length - 1;
      if (left <= 0 && kills < 8) setTimeout(() => child.kill("SIGKILL"), next(25));
    });
    const signal = await new Promise((resolve) => child.on("exit", (_, by) => resolve(by)));
    for (const name of existsSync(out) ? readdirSync(out) : []) if (name.startsWith("checkpoint-")) await openCheckpoint(join(out, name));
    if (signal !== "SIGKILL") break;
    kills++;
  }
  const file = (tag) => readFileSync(join(folder, tag, "checkpoint-" + STEPS, "adapter_model.safetensors"));
  console.log(JSON.stringify({ kills, same: file("whole").equals(file("killed")), left: readdirSync(out).filter((name) => !name.startsWith("checkpoint-")) }));
}
`;

it(
  "a process that is killed at any moment leaves whole checkpoints, and the training ends as if nothing had happened",
  { timeout: 120_000 },
  async () => {
    const folder = join(home, "killing");
    const { status, stdout, stderr } = await runExample(KILLED, [folder, fixture("models", "llama")]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { kills, same, left } = JSON.parse(stdout.trim().split("\n").at(-1)!) as { kills: number; same: boolean; left: string[] };
    expect(kills).toBeGreaterThan(2);
    expect(same).toBe(true);
    expect(left).toEqual([]);
    expect(existsSync(join(folder, "killed", "checkpoint-12", "done.json"))).toBe(true);
  },
);
