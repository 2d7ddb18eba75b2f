import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ADAPTER_METHODS } from "@weft/methods";
import { LoraConfig } from "@weft/adapters-lora";
import { openWeights } from "@weft/io-safetensors/node";
import type { Tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { openAdapter, type OpenedAdapter, readTensor } from "@weft/adapter-files";
import { getPeftModel } from "@weft/registry";
import { PeftModel } from "@weft/registry";
import { Mlp } from "./testing/mlp.js";

const home = (name: string): string => fileURLToPath(new URL(`../../../fixtures/variants/${name}/`, import.meta.url));

async function caseOf(name: string, changes: object = {}): Promise<{ model: Mlp; adapter: OpenedAdapter; x: Tensor }> {
  const source = await openWeights(`${home(name)}case.safetensors`);
  const named = [...source.names()].filter((key) => key.startsWith("base."));
  const weights = await Promise.all(named.map(async (key) => [key.slice(5), await readTensor(source, key)] as const));
  const config = { ...(JSON.parse(readFileSync(`${home(name)}adapter_config.json`, "utf8")) as object), ...changes };
  const adapter = await openAdapter(
    { config, weights: await openWeights(`${home(name)}adapter_model.safetensors`) },
    { methods: ADAPTER_METHODS },
  );
  return { model: new Mlp(new Map(weights)), adapter, x: await readTensor(source, "x") };
}

const load = async (name: string, changes: object, allowUnknownFields = false): Promise<PeftModel<Tensor, Tensor>> => {
  const { model, adapter } = await caseOf(name, changes);
  const peft = new PeftModel(model, ADAPTER_METHODS);
  await peft.loadAdapter(adapter, "default", { allowUnknownFields });
  return peft;
};

describe("nothing of a LoRA is ignored", () => {
  it.each([
    ["lora_kasa", { kasa_config: null }, "lora_diag"],
    ["lora_monteclora", { monteclora_config: null }, "lora_monteclora_sampler"],
    ["lora_velora", { velora_config: null }, "lora_velora_embed"],
  ])("%s: tensors that the config gives no meaning are an error, unless they may be dropped", async (name, changes, tensor) => {
    await expect(load(name, changes)).rejects.toMatchObject({ kind: "unused-tensors", message: expect.stringContaining(tensor) as string });
    const peft = await load(name, changes, true);
    expect(Object.keys(peft.state("default").layers.get("lin0")![0]!.params)).toEqual(["A", "B"]);
  });

  it.each([
    [{ layer_replication: [[0, 1]] }, /repeats layers/],
    [{ arrow_config: { top_k: 2 } }, /Arrow routes/],
    [{ kasa_config: { beta: 1, gama: 1 } }, /kasa_config has no field "gama"/],
    [{ kasa_config: { beta: -1 } }, /beta is -1/],
    [{ use_dora: true }, /cannot be combined: kasa_config and use_dora/],
  ])("%o is refused by name", async (changes, message) => {
    await expect(load("lora_kasa", changes)).rejects.toThrow(message);
  });

  it.each(["corda", "lora_ga", "loftq", "pissa_niter_4"])("a base that %s changed is not taken for the original", async (init) => {
    await expect(load("lora_velora_random", { velora_config: null, init_lora_weights: init }, true)).rejects.toMatchObject({
      kind: "base-changed-by-init",
      message: expect.stringContaining(init) as string,
    });
  });
});

describe("variants among other adapters", () => {
  it.each(["lora_bdlora", "lora_mica", "lora_qalora", "lora_velora"])("%s in some rows of a batch", async (name) => {
    const { model, adapter, x } = await caseOf(name);
    const peft = await PeftModel.fromPretrained(model, adapter);
    const both = await peft.forward(x, { adapterNames: ["default", "__base__"] }).data();
    const half = both.length / 2;
    const [alone, base] = [await peft.forward(x).data(), await model.forward(x).data()];
    const gap = (a: ArrayLike<number>, b: ArrayLike<number>): number => Math.max(...Array.from(a, (v, i) => Math.abs(v - b[i]!)));
    expect(gap(both.slice(0, half), alone.slice(0, half))).toBeLessThan(1e-6);
    expect(gap(both.slice(half), base.slice(half))).toBeLessThan(1e-6);
    expect(gap(both.slice(0, half), base.slice(0, half))).toBeGreaterThan(0.05);
  });

  it("KaSA has a base of its own, which rows of other adapters do not see", async () => {
    const { model, adapter, x } = await caseOf("lora_kasa");
    const peft = await PeftModel.fromPretrained(model, adapter);
    expect(() => peft.forward(x, { adapterNames: ["default", "__base__"] })).toThrow(/changes lin0.weight/);
  });

  it("two KaSA adapters at once have no base in common", async () => {
    const { model, adapter, x } = await caseOf("lora_kasa");
    const peft = await PeftModel.fromPretrained(model, adapter);
    await peft.loadAdapter(adapter, "again");
    const alone = await peft.forward(x).data();
    peft.setAdapter(["default", "again"]);
    expect(() => peft.forward(x)).toThrow(/two active adapters/);
    expect(() => peft.mergeAndUnload()).toThrow(/two active adapters/);
    peft.setAdapter("again");
    expect(await peft.forward(x).data()).toEqual(alone);
  });

  it("they are not combined by their factors, but add up", async () => {
    const { model, adapter } = await caseOf("lora_bdlora");
    const peft = await PeftModel.fromPretrained(model, adapter);
    await peft.addAdapter("plain", new LoraConfig({ r: 4, targetModules: ["lin0"] }));
    await expect(peft.addWeightedAdapter(["default", "plain"], [1, 1], "sum", { combinationType: "cat" })).rejects.toThrow(
      "cat combines factors, which not all of the adapters have",
    );
    await peft.addWeightedAdapter(["default", "plain"], [2, 1], "sum");
    expect(peft.state("sum").config.peftType).toBe("WEIGHTED_SUM");
  });

  it("a module that BD-LoRA names in neither list is an error, unless match_strict is off", async () => {
    const { model, x } = await caseOf("lora_bdlora");
    const config = (matchStrict: boolean): LoraConfig =>
      new LoraConfig({
        r: 4,
        targetModules: ["lin0", "head"],
        useBdlora: { targetModulesBdA: ["lin0"], targetModulesBdB: null, nblocks: 2, matchStrict },
      });
    await expect(getPeftModel(model, config(true), { methods: ADAPTER_METHODS })).rejects.toThrow(/neither/);
    const peft = await getPeftModel(model, config(false), { methods: ADAPTER_METHODS });
    expect(peft.state("default").layers.get("head")![0]!.params["A"]!.shape).toEqual([4, 16]);
    expect(await peft.forward(x).data()).toEqual(await model.forward(x).data());
  });
});
