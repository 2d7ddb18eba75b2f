import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { LohaConfig, LokrConfig } from "@weft/adapters-lycoris";
import { type Tensor, tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import type { ConfigInput } from "./new-adapter.js";
import { PeftModel } from "./peft-model.js";
import { drawn, oneLayer } from "../testing/one-layer.js";

async function withAdapters(configs: { readonly [name: string]: ConfigInput }): Promise<PeftModel<Tensor, Tensor>> {
  const peft = new PeftModel(oneLayer(drawn([16, 16], 1)), ADAPTER_METHODS);
  for (const [n, [name, config]] of Object.entries(configs).entries()) {
    await peft.addAdapter(name, config);
    const parameters = peft.parameters(name);
    const fc = Object.fromEntries(Object.entries(parameters.layers.fc!).map(([key, t], i) => [key, drawn(t.shape, 10 * n + i + 2)]));
    peft.setParameters({ ...parameters, layers: { fc } }, name);
  }
  return peft;
}

const targetModules = ["fc"];
const CONFIGS = {
  lora: new LoraConfig({ r: 2, loraAlpha: 3, targetModules }),
  loha: new LohaConfig({ r: 2, alpha: 5, targetModules }),
  lokr: new LokrConfig({ r: 1, alpha: 2, decomposeBoth: true, targetModules }),
};
const x = drawn([3, 16], 99);
const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

/** ΔW of an adapter by merging it alone. */
async function deltaOf(peft: PeftModel<Tensor, Tensor>, name: string): Promise<number[]> {
  const [merged, base] = await Promise.all(
    [peft.mergeAndUnload({ adapterNames: [name] }), peft.baseModel].map((model) => values(model.weights.get("fc.weight")!)),
  );
  return merged!.map((v, i) => v - base![i]!);
}

const near = (found: readonly number[], wanted: readonly number[]): void => found.forEach((v, i) => expect(v).toBeCloseTo(wanted[i]!, 4));

describe("adapters of different low-rank methods in memory", () => {
  it("add up to one LoRA exactly", async () => {
    const peft = await withAdapters(CONFIGS);
    await peft.addWeightedAdapter(["loha", "lora", "lokr"], [0.5, -1, 2], "sum");
    const [loha, lora, lokr] = await Promise.all(["loha", "lora", "lokr"].map((name) => deltaOf(peft, name)));
    near(
      await deltaOf(peft, "sum"),
      loha!.map((v, i) => 0.5 * v - lora![i]! + 2 * lokr![i]!),
    );
    // 2² + 2 + 1·1.
    expect(peft.state("sum").config).toMatchObject({ peftType: "LORA", values: { r: 7 } });
  });
  it("mix in a batch by number", async () => {
    const peft = await withAdapters(CONFIGS);
    const names = ["lora", "loha", "lokr"];
    const wanted = await values(peft.forward(x, { adapterNames: names }));
    await peft.prepareBatch(names);
    near(await values(peft.forward(x, { adapterIndex: tensor(Int32Array.of(0, 1, 2)) })), wanted);
  });
  it("add up as they are where they have no such form", async () => {
    const peft = await withAdapters({ lora: CONFIGS.lora, whole: new LokrConfig({ r: 8, targetModules }) });
    await peft.addWeightedAdapter(["lora", "whole"], [1, 1], "sum");
    expect(peft.state("sum").config.peftType).toBe("WEIGHTED_SUM");
  });
});
