import { ADAPTER_METHODS } from "@weft/methods";
import { openSafetensors, type WeightSource } from "@weft/io-safetensors";
import { forwardBase, type LayerSpec, tanh, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { openAdapter, readTensor } from "@weft/adapter-files";
import type { HookedLayer, HookedModel, HookedModule, LayerHook } from "./hooked-model.js";
import { PeftModel } from "./peft-model.js";

const FILES = {
  case: new URL("../../../../fixtures/peft/lora_linear/case.safetensors", import.meta.url),
  config: new URL("../../../../fixtures/peft/lora_linear/adapter_config.json", import.meta.url),
  adapter: new URL("../../../../fixtures/peft/lora_linear/adapter_model.safetensors", import.meta.url),
};
const fetched = async (name: keyof typeof FILES): Promise<Blob> => (await fetch(FILES[name])).blob();

/** The network of the case: three linear layers, tanh between them. */
class Net implements HookedModel<Tensor, Tensor> {
  constructor(readonly weights: ReadonlyMap<string, Tensor>) {}
  layers(): HookedLayer[] {
    return ["lin0", "lin1", "head"].map((path) => {
      const [weight, bias] = [this.weights.get(`${path}.weight`)!, this.weights.get(`${path}.bias`)];
      const layer: LayerSpec = { kind: "linear", shape: weight.shape, dtype: "f32", bias: bias !== undefined };
      return { path, layer, base: { weight, bias } };
    });
  }
  namedModules(): [string, HookedModule][] {
    return this.layers().map(({ path }) => [path, { kind: "linear" }]);
  }
  withWeights(changes: ReadonlyMap<string, Tensor>): Net {
    return new Net(new Map([...this.weights, ...changes]));
  }
  forward(x: Tensor, hook?: LayerHook): Tensor {
    const run = (h: Tensor, { path, layer, base }: HookedLayer): Tensor => hook?.(path, layer, base, h) ?? forwardBase(layer, base, h);
    return this.layers().reduce((h, layer, i) => run(i === 0 ? h : tanh(h), layer), x);
  }
}

it("runs an adapter of PEFT's in a page, from files as a user chooses them", async () => {
  const tensors: WeightSource = await openSafetensors(await fetched("case"));
  const base = [...tensors.names()].filter((name) => name.startsWith("base."));
  const weights = new Map(await Promise.all(base.map(async (name) => [name.slice(5), await readTensor(tensors, name)] as const)));
  const config = new Uint8Array(await (await fetched("config")).arrayBuffer());
  const adapter = await openAdapter({ config, weights: await openSafetensors(await fetched("adapter")) }, { methods: ADAPTER_METHODS });
  const peft = await PeftModel.fromPretrained(new Net(weights), adapter);
  const x = await readTensor(tensors, "x");
  for (const [name, y] of [
    ["y_adapter", peft.forward(x)],
    ["y_merged", peft.mergeAndUnload().forward(x)],
  ] as const) {
    const [got, want] = [await y.data(), await (await readTensor(tensors, name)).data()];
    want.forEach((v, i) => expect(Math.abs(got[i]! - v)).toBeLessThan(2e-5));
  }
});
