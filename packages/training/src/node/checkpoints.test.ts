import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS, LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { loadPeftModel } from "@weft/registry/node";
import { Device, flattenTree } from "@weft/tensor-core";
import { afterAll, describe, expect, it, vi } from "vitest";
import { runExample } from "../../../../scripts/run-example.mjs";
import { device, fixture, SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "../train/batch.js";
import { fullModel } from "../train/full-model.js";
import { train } from "../train/train.js";
import type { Trainee } from "../train/trainee.js";
import type { TrainingOptions } from "../train/training-options.js";
import { checkpointFiles } from "../checkpoints/checkpoint-files.js";
import { readCheckpointFiles } from "../checkpoints/read-checkpoint.js";
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
const weights = async (trainee: Trainee): Promise<number[]> => {
  const all: number[] = [];
  for (const t of flattenTree(trainee.parameters()).leaves) all.push(...(await t.data()));
  return all;
};
/** Changes the last bit of a checkpoint's largest file. */
const flip = (path: string): void => {
  const bytes = bytesOf(path, "optimizer.safetensors");
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(join(path, "optimizer.safetensors"), bytes);
};

it("a batch that is too large for the memory ends a training with sizes, and its last checkpoint goes on", async () => {
  const small = new Device(await createWasmBackend({ threads: 1, maxMemoryBytes: 16 * 2 ** 20 }));
  const [own, out] = [await loadPretrained(fixture("models", "llama"), { device: small }), join(home, "too-large")];
  const peft = await getPeftModel<CausalInputs, CausalOutput>(own as never, SMALL_LORA, { methods: LORA_METHODS, seed: 3 });
  const inputIds = Array.from({ length: 1024 }, () => Array.from({ length: 60 }, (_, i) => 3 + i));
  const data = [DATA[0]!, DATA[1]!, { inputIds, labels: inputIds }];
  const options = { ...COMMON, maxSteps: 3, saveSteps: 1, save: saveTo(out) };
  const seen: number[] = [];
  const running = (async () => {
    for await (const { step } of train(peft, data, options)) seen.push(step);
  })();
  await expect(running).rejects.toMatchObject({
    kind: "out-of-memory",
    message: expect.stringMatching(/\d+ bytes/) as string,
    hint: expect.stringContaining("smaller") as string,
  });
  expect(seen).toEqual([1, 2]);
  const { folder, resume } = await openCheckpoint(out, { device: small });
  expect(folder).toBe(join(out, "checkpoint-2"));
  const again = await loadPeftModel<CausalInputs, CausalOutput>(own, folder, { methods: LORA_METHODS });
  for await (const { step } of train(again, DATA.slice(0, 3), { ...options, resume })) seen.push(step);
  expect(seen).toEqual([1, 2, 3]);
  small.dispose();
});

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

it("a page's files of a checkpoint are those of a folder, byte for byte, and go on as they do", async () => {
  const [folder, data] = [join(home, "as files"), DATA];
  const options = { ...COMMON, maxSteps: 6, recordedSettings: { mine: 1 } };
  const training = train(await fresh(), data, { ...options, save: saveTo(folder), saveSteps: 3 });
  let files = new Map<string, Blob>();
  const all: number[] = [];
  for await (const { step, loss } of training) {
    all.push(loss);
    if (step === 3) files = await checkpointFiles(training.snapshot());
  }
  const written = join(folder, "checkpoint-3");
  expect([...files.keys()].toSorted()).toEqual(readdirSync(written).toSorted());
  expect([...files.keys()].at(-1)).toBe("done.json");
  for (const [name, blob] of files) {
    if (name === "done.json") expect(JSON.parse(await blob.text())).toEqual(JSON.parse(bytesOf(written, name).toString()));
    else expect(Buffer.from(await blob.arrayBuffer()).equals(bytesOf(written, name)), name).toBe(true);
  }
  const { resume } = await readCheckpointFiles(files, { device });
  const again: number[] = [];
  for await (const { loss } of train(await load(written), data, { ...options, resume })) again.push(loss);
  expect(again).toEqual(all.slice(3));
  files.delete("adapter_model.safetensors");
  await expect(readCheckpointFiles(files)).rejects.toMatchObject({
    kind: "bad-checkpoint",
    message: "checkpoint/adapter_model.safetensors: is not there",
  });
});

it("a model's own weights go on, too", async () => {
  const folder = join(home, "full");
  const options = { maxSteps: 4, learningRate: 1e-3 };
  const [whole, stopped, again] = [fullModel(model as never), fullModel(model as never), fullModel(model as never)];
  await run(whole, options);
  for await (const { step } of train(stopped, DATA, { ...COMMON, ...options, saveSteps: 2, save: saveTo(folder) })) if (step === 2) break;
  const { resume } = await openCheckpoint(folder, { device });
  await run(again, { ...options, resume });
  expect(await weights(again)).toEqual(await weights(whole));
});

// Blocks of ranks are drawn by the step; of the other one the file has what training began with, from which its change is measured.
it.each(["DYLORA", "TLORA"])("a %s goes on, too", async (peftType) => {
  const folder = join(home, peftType);
  const config = Object.freeze({ peft_type: peftType, r: 4, block_size: 2 });
  const { block_size: _, ...plain } = config;
  const made = (): Promise<Peft> =>
    getPeftModel<CausalInputs, CausalOutput>(model as never, peftType === "TLORA" ? plain : config, { methods: ADAPTER_METHODS, seed: 3 });
  const options = { maxSteps: 4 };
  const whole = await run(await made(), options);
  expect(new Set(whole).size).toBe(4);
  for await (const { step } of train(await made(), DATA, { ...COMMON, ...options, saveSteps: 2, save: saveTo(folder) }))
    if (step === 2) break;
  const { folder: last, resume } = await openCheckpoint(folder, { device });
  const again = await loadPeftModel<CausalInputs, CausalOutput>(model, last, { methods: ADAPTER_METHODS });
  expect(await run(again, { ...options, resume })).toEqual(whole.slice(2));
});

describe("an AdaLoRA", () => {
  const TOTAL = 10;
  const config = Object.freeze({
    peft_type: "ADALORA",
    init_r: 4,
    target_r: 2,
    tinit: 1,
    tfinal: 3,
    total_step: TOTAL,
    target_modules: ["q_proj", "v_proj"],
  });
  const options: TrainingOptions = { ...COMMON, learningRate: 5e-2, maxSteps: TOTAL, saveSteps: 1 };
  const adaLora = (): Promise<Peft> =>
    getPeftModel<CausalInputs, CausalOutput>(model as never, config, { methods: ADAPTER_METHODS, seed: 3 });

  // Before its first allocation, between two, and when ranks are fixed.
  it.each([1, 4, 8])("that was stopped after step %i gives the ranks that it would have given", async (stop) => {
    const [whole, parts] = [join(home, `adalora ${stop} whole`), join(home, `adalora ${stop} parts`)];
    await run(await adaLora(), { ...options, save: saveTo(whole) });
    for await (const { step } of train(await adaLora(), DATA, { ...options, save: saveTo(parts) })) if (step === stop) break;
    const { folder, resume } = await openCheckpoint(parts, { device });
    expect(resume.method.size).toBeGreaterThan(0);
    const again = await loadPeftModel<CausalInputs, CausalOutput>(model, folder, { methods: ADAPTER_METHODS });
    await run(again, { ...options, save: saveTo(parts), resume });
    const same = (name: string): boolean => bytesOf(parts, `checkpoint-${TOTAL}`, name).equals(bytesOf(whole, `checkpoint-${TOTAL}`, name));
    expect(["adapter_model.safetensors", "optimizer.safetensors"].filter((name) => !same(name))).toEqual([]);
    let kept = 0;
    for (const { E } of Object.values(again.parameters().layers)) kept += [...(await E!.data())].filter((value) => value !== 0).length;
    expect(kept).toBe(2 * Object.keys(again.parameters().layers).length);
  });

  it("refuses averages of another one", async () => {
    const folder = join(home, "adalora 1 parts");
    const { resume } = await openCheckpoint(folder, { device });
    const method = new Map([...resume.method].slice(1));
    await expect(run(await adaLora(), { ...options, resume: { ...resume, method } })).rejects.toMatchObject({ kind: "bad-checkpoint" });
  });
});

it("goes on with other settings only if it is allowed to, and names them", async () => {
  const folder = join(home, "changed");
  const options = { ...COMMON, maxSteps: 3, recordedSettings: { maxLength: 9, mask: undefined } };
  await run(await fresh(), { ...options, maxSteps: 2, save: saveTo(folder) });
  const { folder: last, resume } = await openCheckpoint(folder, { device });
  const changed = { ...options, learningRate: 2e-2, optimArgs: { beta1: 0.8 }, recordedSettings: { maxLength: 8 }, resume };
  const peft = await load(last);
  const refused = (more: TrainingOptions): unknown => {
    try {
      return train(peft, DATA, more);
    } catch (error) {
      return error;
    }
  };
  const { kind, message } = refused(changed) as { readonly kind: string; readonly message: string };
  expect(kind).toBe("settings-changed");
  for (const told of ["maxSteps is 3 and was 2", "learningRate is 0.02 and was 0.01", "maxLength is 8 and was 9", '"beta1":0.8'])
    expect(message).toContain(told);
  expect(message).not.toContain("seed");
  expect(await run(peft, { ...changed, allowChangedSettings: true })).toHaveLength(1);
  expect((refused({ ...options, resume }) as { readonly message: string }).message).toMatch(/checkpoint: maxSteps is 3 and was 2$/);
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
    expect(checkpointSteps(folder)).toEqual([...new Set([best, 5, 6])].toSorted((a, b) => a - b));
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
    expect(() => train(peft, DATA, { resume, optim: "lion_8bit", allowChangedSettings: true })).toThrow("state1");
    const other = Object.freeze({ ...SMALL_LORA, r: 3 });
    const wider = await getPeftModel<CausalInputs, CausalOutput>(model as never, other, { methods: LORA_METHODS, seed: 3 });
    expect(() => train(wider, DATA, { ...COMMON, maxSteps: 1, resume })).toThrow(/the parameter .* expected \[3,/);
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
