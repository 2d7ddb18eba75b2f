import { ones, tensor } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { createLora } from "./create-lora.js";
import { LoraConfig } from "./lora/config.js";

const weight = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const bias = tensor([0.5, -0.5]);
const x = tensor([
  [1, 0, -1],
  [2, 1, 0],
]);
const A = tensor([[1, 0, 2]]);
const B = tensor([[1], [-1]]);

async function single() {
  const adapter = await createLora({ r: 1, loraAlpha: 2 }, { fc: { weight, bias } });
  const layer = adapter.get("fc");
  layer.set("A", A);
  layer.set("B", B);
  return { adapter, layer };
}

describe("a single layer with LoRA", () => {
  it("starts as the base layer", async () => {
    const adapter = await createLora({ r: 2 }, { fc: { weight, bias } });
    expect([...(await adapter.forward("fc", x).data())]).toEqual([-1.5, -2.5, 4.5, 12.5]);
  });
  it("adds s·B·A·x, for one row or a batch of any shape", async () => {
    const { layer } = await single();
    // A·x = -1 and 2; s = 2.
    expect([...(await layer.forward(x).data())]).toEqual([-3.5, -0.5, 8.5, 8.5]);
    expect(layer.forward(ones([4, 5, 3])).shape).toEqual([4, 5, 2]);
  });
  it("merges, refuses to merge twice, and unmerges to the same bits", async () => {
    const { layer } = await single();
    const before = await layer.forward(x).data();
    layer.merge();
    expect([...(await layer.weight.data())]).toEqual([3, 2, 7, 2, 5, 2]);
    expect([...(await layer.forward(x).data())]).toEqual([...before]);
    expect(() => layer.merge()).toThrow("already merged");
    expect(() => layer.set("A", A)).toThrow("merged");
    layer.unmerge();
    expect(layer.weight).toBe(weight);
    expect(() => layer.unmerge()).toThrow("not merged");
  });
  it("is switched off and on", async () => {
    const { layer } = await single();
    layer.disable();
    expect([...(await layer.forward(x).data())]).toEqual([-1.5, -2.5, 4.5, 12.5]);
    layer.merge();
    expect([...(await layer.forward(x).data())]).toEqual([-1.5, -2.5, 4.5, 12.5]);
    layer.enable();
    expect([...(await layer.forward(x).data())]).toEqual([-3.5, -0.5, 8.5, 8.5]);
  });
  it("refuses parameters of another shape or name", async () => {
    const { layer } = await single();
    expect(() => layer.set("A", tensor([[1, 2]]))).toThrow("A is [1,2], expected [1,3]");
    expect(() => layer.set("C", A)).toThrow('no parameter "C"');
  });
  it("counts", async () => {
    const { layer } = await single();
    expect(layer.summary).toEqual({ trainable: 5, total: 13, ratio: 5 / 13, adapterBytes: 20, savedBytes: 12 });
  });
});

describe("an adapter of several layers", () => {
  it("merges all or none", async () => {
    const adapter = await createLora({ r: 1, initLoraWeights: false }, { a: { weight }, b: { weight } });
    adapter.get("b").merge();
    expect(() => adapter.mergeAll()).toThrow("b is already merged");
    expect(adapter.get("a").merged).toBe(false);
    adapter.get("b").unmerge();
    adapter.mergeAll();
    expect([...adapter.layers.values()].every((l) => l.merged)).toBe(true);
    adapter.unmergeAll();
    expect(adapter.summary.layers).toBe(2);
  });
});

describe("a LoRA config", () => {
  it("takes PEFT's spelling or camelCase and fills in PEFT's defaults", () => {
    expect(new LoraConfig({ lora_alpha: 32, use_rslora: true, r: 16 }).scaling).toBe(8);
    expect(new LoraConfig({ loraAlpha: 32, r: 16 }).scaling).toBe(2);
    expect(new LoraConfig().r).toBe(8);
  });
  it.each([
    [{ r: 0 }, "r is 0, expected an integer from 1 to 65536"],
    [{ r: "2" }, 'r is "2", expected an integer'],
    [{ lora_alpha: NaN }, "lora_alpha is null, expected a finite number"],
    [{ lora_dropout: 1 }, "lora_dropout is 1, expected a number from 0 to below 1"],
    [{ bias: "some" }, 'bias is "some", expected one of "none", "all", "lora_only"'],
    [{ init_lora_weights: "xavier" }, "init_lora_weights"],
  ])("rejects %j", (fields, message) => {
    expect(() => new LoraConfig(fields)).toThrow(message);
  });
});
