import { encodedOf, readRows } from "@weft/datasets";
import { generationDefaults } from "@weft/generation";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { openAdapter } from "@weft/adapter-files";
import { openSafetensors } from "@weft/io-safetensors";
import { type CausalInputs, type CausalOutput, loadCausalLM } from "@weft/models";
import { getPeftModel, PeftModel, saveFiles } from "@weft/registry";
import { Device, tensor } from "@weft/tensor-core";
import { openTinyModel } from "@weft/tiny-models";
import { train } from "@weft/training";
import { afterAll, describe, expect, it } from "vitest";
import { adapterConfig } from "./adapter-config.js";
import { encodeRows } from "./encode-rows.js";
import { epochBatches, epochsFrom, trainable } from "./epoch-batches.js";
import { isMadeAgain, newAdapter } from "./new-adapter.js";
import { DEFAULT_SETTINGS, type FineTuningSettings } from "./settings.js";
import { trainingOptions } from "./training-options.js";

const device = new Device(await createWasmBackend({ threads: 1 }));
afterAll(() => device.dispose());
const { config, weights, tokenizer, generationConfig } = await openTinyModel("llama");
const base = await loadCausalLM(config, weights, { device });
const files = { tokenizer, chatTemplate: undefined, defaults: generationDefaults(generationConfig) };

const TEXT = Array.from({ length: 6 }, (_, i) => `${"Such a ball it was. ".repeat(i + 1)}`).join("\n\n");
const settings: FineTuningSettings = { ...DEFAULT_SETTINGS, maxLength: 64, perDeviceTrainBatchSize: 2 };
const encode = (text: string, format: "text" | "jsonl" = "text", more: Partial<FineTuningSettings> = {}) =>
  encodeRows(readRows(text, { format, name: "data" }), "data", { ...settings, ...more }, files, base.config.vocabSize);

describe("epochs", () => {
  it("depend on their number and the seed, and are as long as each other", async () => {
    const examples = trainable(await encode(TEXT));
    const ids = (epoch: number, seed = 1): string => JSON.stringify([...epochBatches(examples, { ...settings, seed }, epoch)]);
    expect(ids(0)).toBe(ids(0));
    expect(ids(0)).not.toBe(ids(1));
    expect(ids(0)).not.toBe(ids(0, 2));
    const epochs = epochsFrom(examples, { ...settings, seed: 1 }, 1);
    expect(epochs.length).toBe(3);
    expect([JSON.stringify([...epochs]), JSON.stringify([...epochs])]).toEqual([ids(1), ids(2)]);
  });

  it("have rows whose lengths are few: multiples of 32, or the length of packed rows", async () => {
    const examples = trainable(await encode(TEXT));
    const lengths = (packing: boolean): number[] =>
      [...epochBatches(examples, { ...settings, packing }, 0)].map(({ inputIds }) => (inputIds[0] as number[]).length);
    expect(lengths(false).every((length) => length % 32 === 0)).toBe(true);
    expect(new Set(lengths(true))).toEqual(new Set([64]));
  });
});

describe("rows", () => {
  it("of another objective are refused, with the one that they fit", async () => {
    await expect(encode(TEXT, "text", { objective: "dpo" })).rejects.toMatchObject({ kind: "dataset-format", hint: "--objective sft" });
    const pair = JSON.stringify({ prompt: "a", chosen: "b", rejected: "c" });
    await expect(encode(pair, "jsonl")).rejects.toMatchObject({ kind: "dataset-format", hint: expect.stringContaining("dpo") });
  });

  it("whose tokens the model does not have are refused", async () => {
    const rows = readRows(TEXT, { format: "text", name: "data" });
    await expect(encodeRows(rows, "data", settings, files, 100)).rejects.toMatchObject({
      kind: "config-mismatch",
      hint: expect.stringContaining("tokenizer.json"),
    });
  });

  it("end with the model's end token", async () => {
    for (const example of await encode(TEXT)) expect(encodedOf(example)[0]!.ids.at(-1)).toBe(0);
  });
});

it("a config has PEFT's fields, and the usual values for the rest", () => {
  expect(adapterConfig({ peft: { r: 4, target_modules: "q_proj, v_proj" } }, "hf:me/model", ADAPTER_METHODS)).toEqual({
    peft_type: "LORA",
    r: 4,
    lora_alpha: 16,
    target_modules: ["q_proj", "v_proj"],
    task_type: "CAUSAL_LM",
    base_model_name_or_path: "me/model",
  });
  expect(adapterConfig({ peft: { peft_type: "ia3" } }, "m", ADAPTER_METHODS)).not.toHaveProperty("r");
  expect(() => adapterConfig({ peft: { peft_type: "lokrr" } }, "m", ADAPTER_METHODS)).toThrow(
    expect.objectContaining({ hint: "did you mean LOKR?" }),
  );
});

it("settings are what train takes: the loss falls", async () => {
  const own = { ...settings, learningRate: 5e-3, maxSteps: 6, peft: { r: 4 } };
  const peft = await getPeftModel(base, adapterConfig(own, "tiny", ADAPTER_METHODS), { methods: ADAPTER_METHODS, seed: own.seed });
  const losses: number[] = [];
  for await (const { loss } of train(peft, epochsFrom(trainable(await encode(TEXT)), own, 0), trainingOptions(own))) losses.push(loss);
  expect(losses).toHaveLength(6);
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.5);
});

const settingsOf = (init: string): FineTuningSettings => ({
  ...settings,
  learningRate: 1e-2,
  maxSteps: 2,
  peft: { r: 2, target_modules: ["q_proj"], layers_to_transform: [0], init_lora_weights: init },
});

const logits = async (model: { forward(inputs: CausalInputs): CausalOutput }): Promise<number[]> => [
  ...(await model.forward({ inputIds: tensor(Int32Array.of(5, 9, 40, 7), { shape: [1, 4] }) }).logits.data()),
];
const furthest = (a: readonly number[], b: readonly number[]): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

describe("starts of a LoRA run inside a training", () => {
  it.each([
    ["eva", 1e-4],
    ["corda", 1e-3],
    ["lora_ga", 1e-3],
    ["pissa_niter_4", 1e-3],
    ["loftq", 1],
  ])("%s, whose adapter is saved so that it can be loaded", async (init, tolerance) => {
    const given = settingsOf(init);
    const [examples, of] = [trainable(await encode(TEXT)), adapterConfig(given, "tiny", ADAPTER_METHODS)];
    const batches = epochsFrom(examples, given, 0);
    const peft = await newAdapter<CausalInputs, CausalOutput>(base as never, of, { methods: ADAPTER_METHODS, seed: 1, batches });
    const [began, plain] = [await logits(peft), await logits(base)];
    expect(furthest(began, plain)).toBeLessThan(tolerance);
    for await (const _ of train(peft, epochsFrom(examples, given, 0), trainingOptions(given)));
    const trained = await logits(peft);
    expect(furthest(trained, began)).toBeGreaterThan(1e-3);
    const saved = await saveFiles(peft, {});
    const read = {
      config: await saved.get("adapter_config.json")!.text(),
      weights: await openSafetensors(saved.get("adapter_model.safetensors")!),
    };
    const opened = await openAdapter(read, { methods: ADAPTER_METHODS });
    const onBase = await PeftModel.fromPretrained(base as never, opened);
    // One begun by LoftQ is for the base as NF4 leaves it.
    const gap = furthest(await logits(onBase as never), trained);
    if (init === "loftq") expect(gap).toBeGreaterThan(1e-4);
    else expect(gap).toBeLessThan(2e-4);
    expect(isMadeAgain(of)).toBe(init !== "eva");
  });

  it("LoftQ's later rounds are refused: their base is nobody's", async () => {
    const of = adapterConfig(settingsOf("loftq"), "tiny", ADAPTER_METHODS);
    const made = newAdapter(base, { ...of, loftq_config: { loftq_iter: 2 } }, { methods: ADAPTER_METHODS, seed: 1, batches: [] });
    await expect(made).rejects.toMatchObject({ kind: "training-option", hint: expect.stringContaining("loftq_iter to 1") as string });
  });
});
