import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { methodTable, PEFT_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { type HookedLayer, type HookedModel, type HookedModule, type LayerHook, PeftModel } from "@weft/registry";
import { loadPeftModel, savePretrained } from "@weft/registry/node";
import { forwardBase, type LayerSpec, tensor, type Tensor } from "@weft/tensor-core";
import { methodChecks } from "@weft/tensor-core/testing";
import { afterAll, describe, expect, it, test } from "vitest";
import { GATE, GateConfig } from "./gate.js";

const linear: LayerSpec = { kind: "linear", shape: [5, 4], dtype: "f32", bias: true };
const wave = (shape: number[], phase = 0): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => Math.sin(i + phase)),
    { shape },
  );

/** Two layers, with no more than a model has to offer. */
class TwoLayers implements HookedModel<Tensor, Tensor> {
  constructor(
    readonly weights: ReadonlyMap<string, Tensor> = new Map([
      ["first.weight", wave([5, 4])],
      ["first.bias", wave([5], 1)],
      ["second.weight", wave([3, 5], 2)],
    ]),
  ) {}
  layers(): HookedLayer[] {
    return ["first", "second"].map((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`)!, this.weights.get(`${path}.bias`)];
      return { path, layer: { kind: "linear", shape: weight.shape, dtype: "f32", bias: bias !== undefined }, base: { weight, bias } };
    });
  }
  namedModules(): Iterable<[string, HookedModule]> {
    return this.layers().map(({ path }) => [path, { kind: "linear" }]);
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): TwoLayers {
    return new TwoLayers(new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    return this.layers().reduce((h, { path, layer, base }) => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h), x);
  }
}

describe("the gate is a method like any other", () => {
  test.each(methodChecks(GATE, [{ name: "a linear layer", config: new GateConfig(), layer: linear }]))("$name", ({ run }) => run());
});

const folder = mkdtempSync(join(tmpdir(), "weft-gate-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("is created, trained, mixed with a LoRA in one batch, merged, saved and loaded, with one line in a table of methods", async () => {
  const methods = methodTable(PEFT_METHODS, GATE);
  const model = new TwoLayers();
  const peft = new PeftModel(model, methods);
  await peft.addAdapter("default", new GateConfig({ targetModules: "all-linear", gateInit: 0.5 }));
  const x = wave([2, 4], 3);
  expect(await peft.forward(x).data()).toEqual(await model.forward(x).data());

  const { layers, ...rest } = peft.parameters();
  peft.setParameters({
    ...rest,
    layers: Object.fromEntries(Object.entries(layers).map(([path, { u, v }]) => [path, { u: wave([...u!.shape]), v: v! }])),
  });
  const y = await peft.forward(x).data();
  const merged = await peft.mergeAndUnload().forward(x).data();
  y.forEach((value, i) => expect(value).toBeCloseTo(merged[i]!, 5));

  await peft.addAdapter("lora", new LoraConfig({ r: 2, targetModules: ["second"], initLoraWeights: false }));
  const mixed = await peft.forward(x, { adapterNames: ["default", "lora"] }).data();
  mixed.slice(0, 3).forEach((value, i) => expect(value).toBeCloseTo(y[i]!, 5));

  await savePretrained(peft as never, folder, { adapterNames: ["default"] });
  expect(JSON.parse(readFileSync(join(folder, "adapter_config.json"), "utf8"))).toMatchObject({
    peft_type: "GATE",
    gate_init: 0.5,
    target_modules: "all-linear",
  });
  const again = await loadPeftModel(model, folder, { methods });
  expect(await again.forward(x).data()).toEqual(y);
});
