import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { createLora, LoraConfig, VERA, VeraConfig } from "@weft/adapters-lora";
import { LOHA, lycorisConfig } from "@weft/adapters-lycoris";
import { OFT, OFTConfig } from "@weft/adapters-orthogonal";
import { type AdapterGroup, type AdapterMethod, createAdapter, type Tensor } from "@weft/tensor-core";
import { afterAll, describe, expect, it } from "vitest";
import { loadAdapterGroup, peftModelOf } from "./adapter-group.js";
import { openAdapter } from "@weft/adapter-files";
import { saveFiles } from "./adapter-files.js";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { savePretrained } from "../node/save-pretrained.js";
import { openSafetensors } from "@weft/io-safetensors";
import { drawn } from "../testing/one-layer.js";

const folder = mkdtempSync(join(tmpdir(), "weft-group-"));
afterAll(() => rmSync(folder, { recursive: true }));

const layers = { "block.0.fc": { weight: drawn([6, 4], 1), bias: drawn([6], 2) }, head: { weight: drawn([3, 6], 3) } };
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

function randomise(group: AdapterGroup<never>): void {
  let seed = 10;
  for (const layer of group.layers.values()) for (const [name, t] of Object.entries(layer.params)) layer.set(name, drawn(t.shape, seed++));
}

const CASES: readonly (readonly [string, AdapterMethod<never> | undefined, object])[] = [
  ["LoRA", undefined, new LoraConfig({ r: 2, loraAlpha: 6, useRslora: true })],
  ["DoRA", undefined, new LoraConfig({ r: 2, useDora: true })],
  ["PiSSA", undefined, new LoraConfig({ r: 2, initLoraWeights: "pissa" })],
  ["VeRA", VERA as never, new VeraConfig({ r: 2 })],
  ["OFT", OFT as never, new OFTConfig({ oftBlockSize: 2 })],
];

describe.each(CASES)("%s over layers", (name, method, config) => {
  const make = async (): Promise<AdapterGroup<never>> => {
    const group = method ? await createAdapter(method, config as never, layers) : await createLora(config, layers);
    randomise(group as never);
    return group as never;
  };
  it("is the same when it was saved and loaded: a folder, and Blobs", async () => {
    const group = await make();
    const at = join(folder, name);
    await savePretrained(peftModelOf(group), at);
    const fromFolder = await openAdapterFolder(at, { methods: ADAPTER_METHODS });
    const files = await saveFiles(peftModelOf(group));
    const fromBlobs = openAdapter(
      {
        config: await files.get("adapter_config.json")!.text(),
        weights: await openSafetensors(files.get("adapter_model.safetensors")!),
      },
      { methods: ADAPTER_METHODS },
    );
    for (const opened of [fromFolder, await fromBlobs]) {
      const loaded = await loadAdapterGroup(opened, layers);
      expect([...loaded.layers.keys()]).toEqual([...group.layers.keys()]);
      for (const [path, layer] of group.layers) {
        const x = drawn([2, layer.layer.shape[1]!], 7);
        expect(await values(loaded.forward(path, x))).toEqual(await values(layer.forward(x)));
        expect(loaded.get(path).summary).toEqual(layer.summary);
      }
      await opened.weights.close();
    }
  });
});

it("takes the layers that a file has, and needs all of them", async () => {
  const group = await createLora({ r: 2 }, layers);
  await savePretrained(peftModelOf(group), join(folder, "two"));
  const opened = await openAdapterFolder(join(folder, "two"), { methods: ADAPTER_METHODS });
  const loaded = await loadAdapterGroup(opened, { ...layers, other: { weight: drawn([2, 2], 1) } });
  expect([...loaded.layers.keys()]).toEqual(["block.0.fc", "head"]);
  await expect(loadAdapterGroup(opened, { head: layers.head })).rejects.toThrow("block.0.fc");
  await opened.weights.close();
});

it("grows after loading", async () => {
  const group = await createLora({ r: 2 }, { head: layers.head });
  await savePretrained(peftModelOf(group), join(folder, "one"));
  const opened = await openAdapterFolder(join(folder, "one"), { methods: ADAPTER_METHODS });
  const loaded = await loadAdapterGroup(opened, { head: layers.head });
  await loaded.addLayer("more", { weight: drawn([5, 5], 1) });
  expect([...peftModelOf(loaded).state("default").layers.keys()]).toEqual(["head", "more"]);
  await opened.weights.close();
});

it("refuses what PEFT's folders do not hold, and what single layers do not have", async () => {
  const lycoris = await createAdapter(LOHA, lycorisConfig<never>(LOHA, { r: 2 }), layers);
  await expect(saveFiles(peftModelOf(lycoris))).rejects.toThrow(expect.objectContaining({ kind: "not-peft" }));
  await expect(createLora({ r: 2, bias: "all" }, layers)).rejects.toThrow("bias is about the modules of a model");
  await expect(createLora({ r: 2, rankPattern: { head: 3 } }, layers)).rejects.toThrow("rank_pattern is about the modules of a model");
  expect(() => peftModelOf(lycoris).forward(undefined as never)).toThrow("single layers, not a model");
});
