import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { LORA, LoraConfig } from "@weft/adapters-lora";
import { openSafetensors } from "@weft/io-safetensors";
import { tensor, type Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { savePretrained } from "../node/save-pretrained.js";
import { openAdapter } from "@weft/adapter-files";
import { saveFiles } from "./adapter-files.js";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedModel } from "./hooked-model.js";
import { modelCard } from "./model-card.js";
import type { PeftModel } from "./peft-model.js";

const folder = mkdtempSync(join(tmpdir(), "weft-files-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const PATHS = ["layers.0.q_proj", "layers.1.q_proj"];

/** Two linear layers; nothing here runs them. */
function model(): HookedModel<Tensor, Tensor> {
  const weight = tensor(new Float32Array(20), { shape: [5, 4] });
  return {
    weights: new Map(PATHS.map((path) => [`${path}.weight`, weight])),
    layers: () => PATHS.map((path) => ({ path, layer: { kind: "linear", shape: [5, 4], dtype: "f32", bias: false }, base: { weight } })),
    namedModules: () => PATHS.map((path) => [path, { kind: "linear" }] as const),
    withWeights: () => model(),
    forward: (x) => x,
  };
}

const config = new LoraConfig({ r: 2, targetModules: ["q_proj"], initLoraWeights: false });
let peft: PeftModel<never, unknown>;
beforeAll(async () => {
  peft = (await getPeftModel(model(), config, { methods: ADAPTER_METHODS })) as never;
  await peft.addAdapter("other", config, { seed: 1 });
});

it("a page gets the files that a folder gets", async () => {
  const files = await saveFiles(peft);
  await savePretrained(peft, folder);
  expect([...files.keys()].sort()).toEqual([
    "README.md",
    "adapter_config.json",
    "adapter_model.safetensors",
    "other/README.md",
    "other/adapter_config.json",
    "other/adapter_model.safetensors",
  ]);
  for (const [path, blob] of files) expect([path, Buffer.from(await blob.arrayBuffer())]).toEqual([path, readFileSync(join(folder, path))]);
  const adapter = await openAdapter(
    {
      config: await files.get("adapter_config.json")!.text(),
      weights: await openSafetensors(files.get("adapter_model.safetensors")!),
    },
    { methods: ADAPTER_METHODS },
  );
  expect([...adapter.modules.keys()]).toEqual(PATHS);
});

it("a card that is there is kept", async () => {
  writeFileSync(join(folder, "README.md"), "mine");
  await savePretrained(peft, folder);
  expect(readFileSync(join(folder, "README.md"), "utf8")).toBe("mine");
});

it("saving can be watched and stopped", async () => {
  const seen: [number, number][] = [];
  await saveFiles(peft, { adapterNames: ["default"], onProgress: (done, total) => void seen.push([done, total]) });
  expect(seen).toEqual([1, 2, 3, 4].map((done) => [done, 4]));
  await expect(saveFiles(peft, { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "CancelledError" });
});

it("loading, too, in bytes of the file", async () => {
  const files = await saveFiles(peft, { adapterNames: ["default"] });
  const weights = await openSafetensors(files.get("adapter_model.safetensors")!);
  const adapter = await openAdapter({ config: await files.get("adapter_config.json")!.text(), weights }, { methods: ADAPTER_METHODS });
  const seen: number[] = [];
  await peft.loadAdapter(adapter, "again", { onProgress: (done, total) => void seen.push(done / total) });
  expect(seen).toHaveLength(4);
  expect(seen.at(-1)).toBe(1);
  await expect(peft.loadAdapter(adapter, "never", { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: "CancelledError" });
  expect(peft.adapterNames).not.toContain("never");
});

it("the card has the metadata of PEFT's", () => {
  const values = { baseModelNameOrPath: "HuggingFaceTB/SmolLM2-135M", taskType: "CAUSAL_LM" };
  const head = modelCard({ peftType: "LORA", fields: LORA.fields, values, unknown: new Map() }).split("---\n")[1];
  expect(head).toBe(
    [
      "base_model: HuggingFaceTB/SmolLM2-135M",
      "library_name: peft",
      "pipeline_tag: text-generation",
      "tags:",
      '- "base_model:adapter:HuggingFaceTB/SmolLM2-135M"',
      "- lora",
      "",
    ].join("\n"),
  );
});
