import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { IA3Config, LoraConfig } from "@weft/adapters-lora";
import { XLoraConfig } from "@weft/adapters-model";
import { add, forwardBase, type LayerSpec, tensor, type Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openAdapterFolder } from "@weft/adapter-files/node";
import { savePretrained } from "../node/save-pretrained.js";
import { loadPeftModel } from "../node/load-peft-model.js";
import type { OpenedAdapter } from "@weft/adapter-files";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";
import type { PeftModel } from "./peft-model.js";

interface Out {
  readonly hiddenStates: readonly Tensor[];
}
const filled = (shape: readonly number[], phase = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.3 + phase)),
    { shape },
  );

/** Two linear layers, and their last result as a hidden state. */
class Toy implements HookedModel<Tensor, Out> {
  readonly weights = new Map([0, 1].map((i) => [`fc${i}.weight`, filled([4, 4], i)]));
  layers(): HookedLayer[] {
    const layer: LayerSpec = { kind: "linear", shape: [4, 4], dtype: "f32", bias: false };
    return [0, 1].map((i) => ({ path: `fc${i}`, layer, base: { weight: this.weights.get(`fc${i}.weight`)! } }));
  }
  namedModules(): Iterable<[string, { kind: string }]> {
    return this.layers().map(({ path }) => [path, { kind: "linear" }]);
  }
  withWeights(): Toy {
    return this;
  }
  forward(x: Tensor, hook?: LayerHook): Out {
    return {
      hiddenStates: [this.layers().reduce((h, { path, layer, base }) => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h), x)],
    };
  }
}

const model = new Toy();
const x = filled([2, 3, 4], 1);
const folder = mkdtempSync(join(tmpdir(), "weft-experts-"));
const at = (name: string): string => join(folder, name);
const opened: OpenedAdapter[] = [];
const open = async (name: string): Promise<OpenedAdapter> => {
  const adapter = await openAdapterFolder(at(name), { methods: ADAPTER_METHODS });
  opened.push(adapter);
  return adapter;
};
const output = async (peft: PeftModel<Tensor, Out>): Promise<number[]> => [...(await peft.forward(x).hiddenStates.at(-1)!.data())];

beforeAll(async () => {
  for (const [i, name] of ["a", "b"].entries()) {
    const lora = await getPeftModel(model, new LoraConfig({ r: 2, targetModules: i === 0 ? ["fc0", "fc1"] : ["fc1"] }), {
      methods: ADAPTER_METHODS,
      seed: i,
    });
    const { layers, ...rest } = lora.parameters();
    const moved = Object.entries(layers).map(([path, { A, B }]) => [path, { A: A!, B: add(B!, 0.3 + i) }]);
    lora.setParameters({ ...rest, layers: Object.fromEntries(moved) });
    await savePretrained(lora as never, at(name));
  }
});
afterAll(async () => {
  for (const { weights } of opened) await weights.close();
  rmSync(folder, { recursive: true, force: true });
});

const config = (more: object = {}): XLoraConfig => new XLoraConfig({ hiddenSize: 4, adapters: { a: "a", b: "b" }, ...more });
type XLoraConfig = InstanceType<typeof XLoraConfig>;
const experts = async (): Promise<Map<string, OpenedAdapter>> =>
  new Map([["a", await open("a")] as const, ["b", await open("b")] as const]);

it("the classifier alone is trained and in the file; experts lie beside it and come back", async () => {
  const peft = await getPeftModel(model, config(), { methods: ADAPTER_METHODS, experts: await experts() });
  expect(Object.keys(peft.parameters().shared)).toEqual(["layers.0.weight", "layers.0.bias"]);
  // 2 experts of a classifier of width 4; A and B of three adapted layers; two weights.
  expect(peft.trainableParameters()).toMatchObject({ trainable: 2 * 5, all: 2 * 5 + 3 * 16 + 2 * 16 });
  await savePretrained(peft as never, at("mixed"));
  expect(JSON.parse(readFileSync(join(at("mixed"), "adapter_config.json"), "utf8"))).toMatchObject({ adapters: { a: "a", b: "b" } });
  const again = await loadPeftModel(model, at("mixed"), { methods: ADAPTER_METHODS });
  expect(await output(again)).toEqual(await output(peft));
});

it("trained experts are saved as they are, and used by all shares equally where nothing else is learned", async () => {
  const peft = await getPeftModel(model, config({ useTrainableAdapters: true }), { methods: ADAPTER_METHODS, experts: await experts() });
  const { layers, ...rest } = peft.parameters();
  expect(Object.keys(layers["fc1"]!)).toEqual(["0.A", "0.B", "1.A", "1.B"]);
  peft.setParameters({ ...rest, layers: { ...layers, fc1: { ...layers["fc1"], "1.B": add(layers["fc1"]!["1.B"]!, 1) } } });
  await savePretrained(peft as never, at("trained"));
  expect(await output(await loadPeftModel(model, at("trained"), { methods: ADAPTER_METHODS }))).toEqual(await output(peft));
  const lora = await loadPeftModel(model, join(at("trained"), "b"), { methods: ADAPTER_METHODS });
  expect([...(await lora.parameters().layers["fc1"]!["B"]!.data())]).toEqual([...(await peft.parameters().layers["fc1"]!["1.B"]!.data())]);
});

it("what is missing, or cannot be mixed, is named", async () => {
  await expect(getPeftModel(model, config(), { methods: ADAPTER_METHODS, experts: new Map([["a", await open("a")]]) })).rejects.toThrow(
    'XLORA mixes the adapter "b" (b), which was not given or found',
  );
  await expect(getPeftModel(model, config({ adapters: {} }), { methods: ADAPTER_METHODS })).rejects.toThrow(
    "the config names no adapters to mix",
  );
  await expect(getPeftModel(model, config({ adapters: { "../x": "a" } }), { methods: ADAPTER_METHODS })).rejects.toThrow(
    '"../x" cannot be an adapter\'s name',
  );
  const ia3 = await getPeftModel(model, new IA3Config({ targetModules: ["fc0"], feedforwardModules: [] }), { methods: ADAPTER_METHODS });
  await savePretrained(ia3 as never, at("ia3"));
  await expect(
    getPeftModel(model, config({ adapters: { a: "a", b: "ia3" } }), {
      methods: ADAPTER_METHODS,
      experts: new Map([
        ["a", await open("a")],
        ["b", await open("ia3")],
      ]),
    }),
  ).rejects.toThrow("X-LoRA mixes plain LoRAs on linear layers and embeddings, got IA3");
});

it("a classifier of another depth, or with more than its config has, is refused", async () => {
  const change = (from: string, to: string): void => {
    const file = join(at("other"), "adapter_config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(from, to));
  };
  cpSync(at("mixed"), at("other"), { recursive: true });
  change('"xlora_depth": 1', '"xlora_depth": 2');
  await expect(loadPeftModel(model, at("other"), { methods: ADAPTER_METHODS })).rejects.toThrow(
    "internal_xlora_classifier.layers.3.weight is missing",
  );
  const deep = await getPeftModel(model, config({ xloraDepth: 2, xloraSize: 2 }), { methods: ADAPTER_METHODS, experts: await experts() });
  await savePretrained(deep as never, at("other"));
  change('"xlora_size": 2', '"xlora_size": 3');
  await expect(loadPeftModel(model, at("other"), { methods: ADAPTER_METHODS })).rejects.toThrow("layers.0.weight is [2,4], expected [3,4]");
});

it("it does not merge", async () => {
  const peft = await getPeftModel(model, config(), { methods: ADAPTER_METHODS, experts: await experts() });
  expect(() => peft.mergeAndUnload()).toThrow("XLORA cannot be merged: what its experts do depends on the token");
});
