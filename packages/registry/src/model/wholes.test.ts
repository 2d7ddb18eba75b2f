import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { AdaptionPromptConfig, ShadowConfig } from "@weft/adapters-model";
import { forwardBase, type LayerSpec, reshape, tensor, type Tensor } from "@weft/tensor-core";
import { afterAll, expect, it } from "vitest";
import { savePretrained } from "../node/save-pretrained.js";
import { loadPeftModel } from "../node/load-peft-model.js";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";

const filled = (shape: readonly number[], phase = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.3 + phase)),
    { shape },
  );
const oneHead = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, 1, x.shape[1]!, 4]);

/** Two attentions that give their input, and a linear layer. */
class Toy implements HookedModel<Tensor, Tensor> {
  readonly config = { modelType: "llama" };
  readonly weights = new Map([["fc.weight", filled([4, 4])]]);
  layers(): HookedLayer[] {
    const attention: LayerSpec = { kind: "attention", shape: [4], dtype: "f32", bias: false };
    const project = (mixed: Tensor): Tensor => reshape(mixed, [mixed.shape[0]!, mixed.shape[2]!, 4]);
    const base = {
      weight: filled([0]),
      forward: (x: Tensor) => x,
      attention: { queries: oneHead, keys: oneHead, values: oneHead, project },
    };
    const fc: LayerSpec = { kind: "linear", shape: [4, 4], dtype: "f32", bias: false };
    return [
      { path: "blocks.0.self_attn", layer: attention, base },
      { path: "blocks.1.self_attn", layer: attention, base },
      { path: "fc", layer: fc, base: { weight: this.weights.get("fc.weight")! } },
    ];
  }
  namedModules(): Iterable<[string, { kind: string }]> {
    return this.layers().map(({ path, layer }) => [path, { kind: layer.kind }]);
  }
  withWeights(): Toy {
    return this;
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((h, { path, layer, base }) => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h), x);
  }
}

const model = new Toy();
const x = filled([2, 3, 4], 1);
const folder = mkdtempSync(join(tmpdir(), "weft-wholes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("a method for layers does not get to see attentions", async () => {
  await expect(getPeftModel(model, new LoraConfig({ targetModules: ["self_attn"] }), { methods: ADAPTER_METHODS })).rejects.toThrow(
    "target module blocks.0.self_attn is not a layer that adapters attach to",
  );
  const lora = await getPeftModel(model, new LoraConfig({ targetModules: "all-linear" }), { methods: ADAPTER_METHODS });
  expect([...lora.state("default").layers.keys()]).toEqual(["fc"]);
});

it("an adaption prompt acts beside other adapters, and does not merge", async () => {
  const peft = await getPeftModel(model, new AdaptionPromptConfig({ adapterLen: 2, adapterLayers: 2 }), { methods: ADAPTER_METHODS });
  await peft.addAdapter("second", new AdaptionPromptConfig({ adapterLen: 3, adapterLayers: 1 }), { seed: 4 });
  await peft.addAdapter("lora", new LoraConfig({ r: 2, targetModules: ["fc"], initLoraWeights: "gaussian" }));
  peft.setAdapter(["default", "second", "lora"]);
  expect([...(await peft.forward(x).data())]).toEqual([...(await model.forward(x).data())]);
  expect(() => peft.mergeAndUnload({ adapterNames: ["default"] })).toThrow("ADAPTION_PROMPT cannot be merged: it adds to an attention");
});

it("a file that lacks a layer which its config asks for is refused", async () => {
  const peft = await getPeftModel(model, new AdaptionPromptConfig({ adapterLen: 2, adapterLayers: 1 }), { methods: ADAPTER_METHODS });
  await savePretrained(peft as never, folder);
  expect((await loadPeftModel(model, folder, { methods: ADAPTER_METHODS })).trainableParameters()).toEqual(peft.trainableParameters());
  const file = join(folder, "adapter_config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"adapter_layers": 1', '"adapter_layers": 2'));
  await expect(loadPeftModel(model, folder, { methods: ADAPTER_METHODS })).rejects.toThrow(
    "the config asks for 2 modules, but the file has nothing for blocks.0.self_attn",
  );
});

it("a shadow needs a model that shows its blocks and has smaller ones of its kind, and no classifier", async () => {
  await expect(getPeftModel(model, new ShadowConfig(), { methods: ADAPTER_METHODS })).rejects.toThrow(
    "the model has no smaller one of its kind",
  );
  await expect(getPeftModel(model, { peft_type: "SHADOW", task_type: "SEQ_CLS" } as never, { methods: ADAPTER_METHODS })).rejects.toThrow(
    "SEQ_CLS) is not supported",
  );
  expect(() => new ShadowConfig({ shadow_model: "org/model" })).toThrow('shadow_model is "org/model", expected one of "mirror"');
});
