import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { openWeights, writeSafetensorsFile } from "@weft/io-safetensors/node";
import { LilyConfig, PolyConfig } from "@weft/adapters-model";
import { LoraConfig } from "@weft/adapters-lora";
import { add, forwardBase, type LayerSpec, tensor, type Tensor } from "@weft/tensor-core";
import { afterAll, expect, it } from "vitest";
import { savePretrained } from "../node/save-pretrained.js";
import { loadPeftModel } from "../node/load-peft-model.js";
import { getPeftModel } from "./get-peft-model.js";
import type { HookedLayer, HookedModel, LayerHook } from "./hooked-model.js";
import { stateDict } from "./state-dict.js";

const WIDTH = 4;
const filled = (shape: readonly number[], phase: number): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i * 1.3 + phase)),
    { shape },
  );

/** Twelve blocks of one linear layer each, of which the 3rd is called otherwise. */
class Stack implements HookedModel<Tensor, Tensor> {
  readonly weights = new Map(this.paths().map((path, i) => [`${path}.weight`, filled([WIDTH, WIDTH], i)]));
  private paths(): string[] {
    return Array.from({ length: 12 }, (_, i) => `blocks.${i}.${i === 2 ? "odd" : "fc"}`);
  }
  layers(): HookedLayer[] {
    const layer: LayerSpec = { kind: "linear", shape: [WIDTH, WIDTH], dtype: "f32", bias: false };
    return this.paths().map((path) => ({ path, layer, base: { weight: this.weights.get(`${path}.weight`)! } }));
  }
  namedModules(): Iterable<[string, { kind: string }]> {
    return this.layers().map(({ path }) => [path, { kind: "linear" }]);
  }
  withWeights(): Stack {
    return this;
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((h, { path, layer, base }) => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h), x);
  }
}

const model = new Stack();
const x = filled([3, 2, WIDTH], 0.4);
const folder = mkdtempSync(join(tmpdir(), "weft-tied-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const config = new LilyConfig({ r: 2, strideA: 3, numB: 2, targetModules: ["fc", "odd"], initWeights: false });

it("parameters in common are trained and counted once, and written with each layer", async () => {
  const peft = await getPeftModel(model, config, { methods: ADAPTER_METHODS });
  const { layers } = peft.parameters();
  const having = (name: string): string[] => Object.keys(layers).filter((path) => name in layers[path]!);
  expect(having("A.weight")).toEqual(["blocks.0.fc", "blocks.2.odd", "blocks.4.fc", "blocks.7.fc", "blocks.10.fc"]);
  expect(having("B.weight")).toEqual(["blocks.0.fc", "blocks.2.odd"]);
  expect(having("router.weight")).toHaveLength(12);
  // 5 A, 2 B, 12 routers.
  expect(peft.trainableParameters().trainable).toBe(5 * 2 * WIDTH + 2 * 4 * WIDTH + 12 * 4);
  const written = stateDict(peft.state("default"));
  expect(written.size).toBe(36);
  const b = (path: string): Tensor => written.get(`base_model.model.${path}.lily_B.weight`)!;
  expect(b("blocks.11.fc")).toBe(b("blocks.0.fc"));
  expect(b("blocks.2.odd")).not.toBe(b("blocks.0.fc"));
});

it("a change of what is in common reaches every layer", async () => {
  const peft = await getPeftModel(model, config, { methods: ADAPTER_METHODS });
  const parameters = peft.parameters();
  const first = parameters.layers["blocks.0.fc"]!;
  const moved = { ...first, "B.weight": add(first["B.weight"]!, 1) };
  peft.setParameters({ ...parameters, layers: { ...parameters.layers, "blocks.0.fc": moved } });
  const of = (path: string): Tensor => peft.state("default").layers.get(path)![0]!.params["B.weight"]!;
  expect(of("blocks.11.fc")).toBe(moved["B.weight"]);
  expect(of("blocks.2.odd")).not.toBe(moved["B.weight"]);
});

it("a file comes back with its layers in the model's order; one whose layers differ is refused", async () => {
  const peft = await getPeftModel(model, config, { methods: ADAPTER_METHODS });
  const home = join(folder, "lily");
  await savePretrained(peft as never, home);
  const again = await loadPeftModel(model, home, { methods: ADAPTER_METHODS });
  expect([...(await again.forward(x).data())]).toEqual([...(await peft.forward(x).data())]);
  expect(again.trainableParameters()).toEqual(peft.trainableParameters());

  const file = join(home, "adapter_model.safetensors");
  const source = await openWeights(file);
  const entries = await Promise.all([...source.names()].map(async (name) => ({ name, ...(await source.read(name)) })));
  await source.close();
  const changed = entries.find(({ name }) => name.includes("blocks.10.fc.lily_B"))!;
  changed.data = changed.data.slice();
  changed.data[0]! ^= 1;
  await writeSafetensorsFile(file, entries as never);
  await expect(loadPeftModel(model, home, { methods: ADAPTER_METHODS })).rejects.toThrow(
    "blocks.10.fc.lily_B.weight differs from that of blocks.0.fc, but LILY has one for both",
  );
});

it("tasks are given to whom asks for them, and to nobody else", async () => {
  const taskIds = tensor(Int32Array.of(1, 0, 1), { shape: [3] });
  const poly = await getPeftModel(model, new PolyConfig({ r: 2, nTasks: 2, targetModules: ["fc"], initWeights: false }), {
    methods: ADAPTER_METHODS,
  });
  const row = async (ids: Tensor): Promise<number[]> => [...(await poly.forward(x, { taskIds: ids }).data())].slice(0, 8);
  expect(await row(taskIds)).not.toEqual(await row(tensor(Int32Array.of(0, 0, 1), { shape: [3] })));
  expect(() => poly.forward(x)).toThrow("POLY needs the task of each row");
  expect(() => poly.forward(x, { adapterNames: ["default", "default", "__base__"] })).toThrow("POLY needs the task of each row");
  expect(() => poly.mergeAndUnload()).toThrow("POLY cannot be merged: its factors depend on the task of each row");
  const lora = await getPeftModel(model, new LoraConfig({ r: 2, targetModules: ["fc"] }), { methods: ADAPTER_METHODS });
  expect(() => lora.forward(x, { taskIds })).toThrow("none of the active adapters (default) has tasks");
});
