import { cast, createAdapter, ones, randomKey, tensor, type Tensor, zeros } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { ADALORA, AdaLoraConfig } from "./adalora/adalora.js";
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
    expect(layer.summary).toEqual({
      rank: 1,
      alpha: 2,
      trainable: 5,
      original: 8,
      total: 13,
      ratio: 5 / 13,
      adapterBytes: 20,
      savedBytes: 12,
    });
  });
});

describe("an adapter of several layers", () => {
  it("merges what is not merged yet, and unmerges what is", async () => {
    const adapter = await createLora({ r: 1, initLoraWeights: false }, { a: { weight }, b: { weight } });
    adapter.get("b").merge();
    const before = adapter.get("b").weight;
    adapter.mergeAll();
    expect([...adapter.layers.values()].every((l) => l.merged)).toBe(true);
    expect(adapter.get("b").weight).toBe(before);
    adapter.get("a").unmerge();
    adapter.unmergeAll();
    expect([...adapter.layers.values()].some((l) => l.merged)).toBe(false);
  });
  it("grows and shrinks: a layer that is added gets the numbers that it would have had from the start", async () => {
    const config = { r: 1, loraAlpha: 3 };
    const whole = await createLora(config, { a: { weight }, b: { weight } }, { seed: 5 });
    const grown = await createLora(config, { a: { weight } }, { seed: 5 });
    const added = await grown.addLayer("b", { weight });
    expect([...(await added.params.A!.data())]).toEqual([...(await whole.get("b").params.A!.data())]);
    await expect(grown.addLayer("b", { weight })).rejects.toThrow('a layer "b" already');
    expect(grown.summary).toEqual({
      layers: 2,
      rank: 1,
      alpha: 3,
      trainable: 10,
      original: 12,
      total: 22,
      ratio: 10 / 22,
      adapterBytes: 40,
      savedBytes: 8,
    });
    grown.removeLayer("a");
    expect([...grown.layers.keys()]).toEqual(["b"]);
    expect(() => grown.removeLayer("a")).toThrow('no layer "a"');
  });
  it("tells what is saved in the dtypes that things have", async () => {
    const half = { weight: cast(weight, "bf16"), bias };
    const { fc } = Object.fromEntries((await createLora({ r: 1 }, { fc: half })).layers);
    fc!.set("A", cast(A, "bf16"), { dtype: "bf16" });
    // 6 weights of 2 bytes and 2 biases of 4; A in 3·2 bytes, B in 2·4.
    expect(fc!.summary).toMatchObject({ adapterBytes: 14, savedBytes: 20 - 14 });
    expect(() => fc!.set("B", B, { dtype: "bf16" })).toThrow("fc: B is f32, expected bf16");
    expect(() => fc!.set("B", B, { dtype: "f23" as never })).toThrow('"f23" is no dtype');
  });
  it("gives ΔW", async () => {
    const { layer } = await single();
    expect([...(await layer.delta().data())]).toEqual([2, 0, 4, -2, 0, -4]);
  });
  it("names the layer that was given something else", async () => {
    const adapter = await createLora({ r: 1 }, { "encoder.fc": { weight }, tokens: { weight, kind: "embedding" } });
    expect(() => adapter.forward("encoder.fc", ones([4, 2]))).toThrow("encoder.fc: the input is [4,2], expected […, 3]: in_features is 3");
    expect(() => adapter.forward("tokens", ones([4]))).toThrow("tokens: the input of an embedding is i32, got f32");
  });
  it("drops of the input in training what the config asks for", async () => {
    const adapter = await createLora({ r: 1, loraAlpha: 1, loraDropout: 0.5 }, { fc: { weight: zeros([1, 8]) } });
    adapter.get("fc").set("A", ones([1, 8]));
    adapter.get("fc").set("B", ones([1, 1]));
    const run = async (dropoutKey?: Tensor) => (await adapter.forward("fc", ones([64, 8]), { dropoutKey }).data()) as Float32Array;
    expect(new Set(await run())).toEqual(new Set([8]));
    const dropped = await run(randomKey(1));
    // Each of 8 ones is 0 or 2.
    expect([...dropped].every((v) => v % 2 === 0 && v >= 0 && v <= 16)).toBe(true);
    expect(new Set(dropped).size).toBeGreaterThan(3);
    expect(await run(randomKey(1))).toEqual(dropped);
    expect(await run(randomKey(2))).not.toEqual(dropped);
  });
});

describe("what cannot be meant", () => {
  it("is refused", async () => {
    await expect(createLora({ r: 1 }, { fc: { weight: zeros([0, 3]) } })).rejects.toThrow(
      "fc: the weight is [0,3]: there is nothing to adapt",
    );
    await expect(createAdapter(ADALORA, new AdaLoraConfig({ initR: 2, targetR: 3 }), { fc: { weight } })).rejects.toThrow(
      "target_r is 3, init_r 2",
    );
  });
  it.each([
    [{ rank: 4 }, '"rank" is called r (in files r)'],
    [{ alpha: 4 }, '"alpha" is called loraAlpha (in files lora_alpha)'],
  ])("is explained: %j", (fields, hint) => {
    expect(() => new LoraConfig(fields as never)).toThrow(expect.objectContaining({ kind: "unknown-field", hint }));
  });
  it("is warned of, where PEFT takes it", async () => {
    const warnings: string[] = [];
    await createLora({ r: 3, loraAlpha: 0 }, { fc: { weight } }, { onWarning: (message) => warnings.push(message) });
    expect(warnings).toEqual([
      "fc: lora_alpha is 0: the adapter does nothing",
      "fc: r is 3, but a change of a weight of [2,3] has at most rank 2",
    ]);
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
