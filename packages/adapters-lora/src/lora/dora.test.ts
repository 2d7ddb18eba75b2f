import { readFileSync } from "node:fs";
import { type LayerSpec, mergeWeight, type Tensor, tensor, torchGenerator } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { LORA, LoraConfig } from "../index.js";

interface Stored {
  readonly shape: readonly number[];
  readonly values: readonly number[];
}
/** @see make_dora.py */
const fixture = JSON.parse(readFileSync(new URL("dora.fixture.json", import.meta.url), "utf8")) as { readonly [name: string]: Stored };
const read = (name: string): Tensor => tensor(Float32Array.from(fixture[name]!.values), { shape: fixture[name]!.shape });
const near = async (got: Tensor, name: string): Promise<void> => {
  const values = await got.data();
  expect(got.shape).toEqual(fixture[name]!.shape);
  fixture[name]!.values.forEach((v, i) => expect(Math.abs(values[i]! - v)).toBeLessThan(2e-6));
};

const layer: LayerSpec = {
  kind: "conv2d",
  shape: [6, 2, 3, 3],
  dtype: "f32",
  bias: true,
  conv: { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 2 },
};
const context = { layer, config: new LoraConfig({ r: 2, loraAlpha: 3, useDora: true }), scale: 1 };
const params = (): { [name: string]: Tensor } => ({ A: read("A"), B: read("B"), magnitude: read("magnitude") });

it("DoRA on a grouped convolution runs as in PEFT", async () => {
  await near(LORA.forward(read("x"), { weight: read("weight"), bias: read("bias") }, params(), context), "y");
});

it("starts from the norms of the weight", async () => {
  const { params: created } = await LORA.init!(context.config, layer, torchGenerator(0), read("weight"));
  await near(created["magnitude"]!, "start");
});

it("does not merge, as in PEFT: its ΔW has no place in the weight", () => {
  expect(() => mergeWeight(LORA, read("weight"), params(), context)).toThrow("no ΔW of the weight's shape");
});
