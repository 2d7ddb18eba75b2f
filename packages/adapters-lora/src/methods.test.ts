import { type LayerSpec, ones, type Params, tensor, zeros } from "@weft/tensor-core";
import { methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import {
  ADALORA,
  AdaLoraConfig,
  FOURIERFT,
  FourierFTConfig,
  IA3,
  IA3Config,
  LORA,
  LoraConfig,
  TRAINABLE_TOKENS,
  TrainableTokensConfig,
  VERA,
  VeraConfig,
} from "./index.js";

const linear: LayerSpec = { kind: "linear", shape: [10, 6], dtype: "f32", bias: true };
const turned: LayerSpec = { ...linear, shape: [6, 10], transposed: true };
const square: LayerSpec = { ...linear, shape: [8, 8], bias: false };
const embedding: LayerSpec = { kind: "embedding", shape: [12, 6], dtype: "f32", bias: false };
const conv = { stride: [1, 2], padding: [1, 0], dilation: [1, 1], groups: 1 };
const conv2d: LayerSpec = { kind: "conv2d", shape: [6, 4, 3, 2], dtype: "f32", bias: true, conv };
const grouped: LayerSpec = { ...conv2d, shape: [6, 2, 3, 2], conv: { ...conv, groups: 2 } };
const conv1d: LayerSpec = {
  kind: "conv1d",
  shape: [6, 4, 3],
  dtype: "f32",
  bias: true,
  conv: { stride: [2], padding: [1], dilation: [1], groups: 1 },
};
const layers = { linear, turned, square };
const on = <C>(config: C, of: { readonly [name: string]: LayerSpec } = layers) =>
  Object.entries(of).map(([name, layer]) => ({ name, config, layer }));

const lora = new LoraConfig({ r: 4, loraAlpha: 6 });
const dora = new LoraConfig({ r: 4, loraAlpha: 6, useDora: true });
const ia3 = new IA3Config();
const CHECKS = [
  ...methodChecks(LORA, [
    ...on(lora, { ...layers, embedding, conv2d, conv1d }),
    { name: "grouped conv2d", config: lora, layer: grouped, mergeable: false },
  ]),
  ...methodChecks(
    LORA,
    on(dora, { "linear, DoRA": linear, "turned, DoRA": turned }).map((c) => ({ ...c, mergeable: true })),
  )
    .slice(1)
    .filter(({ name }) => !name.includes("gradients") && !name.includes("strength 0")),
  ...methodChecks(ADALORA, [
    ...on(new AdaLoraConfig({ initR: 3, loraAlpha: 5 }), { ...layers, conv2d, grouped }),
    { name: "rank 0", config: { ...new AdaLoraConfig(), rank: 0 }, layer: linear },
  ]),
  ...methodChecks(IA3, [
    ...on(ia3, { ...layers, conv2d, grouped }),
    ...on(
      { ...ia3, isFeedforward: true },
      { "feed-forward linear": linear, "feed-forward turned": turned, "feed-forward conv2d": conv2d, "feed-forward grouped": grouped },
    ),
  ]),
  ...methodChecks(VERA, on(new VeraConfig({ r: 5 }))),
  ...methodChecks(FOURIERFT, on(new FourierFTConfig({ nFrequency: 20, scaling: 9 }))),
  ...methodChecks(
    TRAINABLE_TOKENS,
    on(new TrainableTokensConfig({ tokenIndices: [3, 0, 11] }), { embedding, "a tied linear": { ...linear, shape: [12, 6] } }),
  ),
];

describe("every method", () => {
  test.each(CHECKS)("$name", async ({ run }) => run());
});

it("DoRA's gradient takes the norm for a constant, so it is not the difference quotient's", async () => {
  const [check] = methodChecks(LORA, on(dora, { linear })).filter(({ name }) => name.includes("gradients"));
  await expect(check!.run()).rejects.toThrow(/difference quotient/);
});

it("IA3 tells feed-forward modules by the end of their path, or by a pattern", () => {
  const at = (feedforwardModules: string | string[]) =>
    IA3.configAt!(new IA3Config({ feedforwardModules }), "layers.1.down_proj", (p) => new RegExp(`^(?:${p})$`).test("layers.1.down_proj"))
      .isFeedforward;
  expect([at(["down_proj"]), at(["proj"]), at(["up_proj"]), at(".*down.*"), at("down_proj")]).toEqual([true, true, false, true, false]);
});

it("trained tokens leave every other row alone, bit for bit", async () => {
  const context = { layer: embedding, config: new TrainableTokensConfig({ tokenIndices: [3, 0] }), scale: 1 };
  const params: Params = {
    rows: tensor([
      [7, 7, 7, 7, 7, 7],
      [8, 8, 8, 8, 8, 8],
    ]),
  };
  const merged = await TRAINABLE_TOKENS.transform!(ones(embedding.shape), params, context, ones(embedding.shape))!.data();
  expect(Array.from({ length: 12 }, (_, row) => merged[row * 6])).toEqual([8, 1, 1, 7, 1, 1, 1, 1, 1, 1, 1, 1]);
});

it("VeRA's projections are the same for every layer, cut to its size", () => {
  const config = new VeraConfig({ r: 5, projectionPrngKey: 11 });
  const specs = VERA.shared!.parameters(
    config,
    [linear, turned, square].map((layer, i) => ({ path: `${i}`, layer })),
  );
  expect(specs.sharedA!.shape).toEqual([5, 8]);
  expect(specs.sharedB!.shape).toEqual([10, 5]);
  const again = VERA.shared!.rebuild!(config, specs);
  expect(again.sharedA).toEqual(VERA.shared!.rebuild!(config, specs).sharedA);
});

it.each([
  [LORA, new LoraConfig({ useDora: true }), { kind: "parameter", shape: [4, 4], dtype: "f32", bias: false }],
  [VERA, new VeraConfig(), conv2d],
  [FOURIERFT, new FourierFTConfig({ nFrequency: 1000 }), linear],
  [TRAINABLE_TOKENS, new TrainableTokensConfig({ tokenIndices: [12] }), embedding],
  [ADALORA, new AdaLoraConfig(), embedding],
  [IA3, new IA3Config(), embedding],
] as const)("%o refuses a layer that it is not for", (method, config, layer) => {
  expect(() => method.parameters(config as never, layer)).toThrow(/is for|not defined|has/);
});

it("AdaLoRA starts as nothing", async () => {
  const context = { layer: linear, config: new AdaLoraConfig(), scale: 1 };
  const params = { A: ones([12, 6]), E: zeros([12, 1]), B: ones([10, 12]) };
  expect(Math.max(...(await ADALORA.delta!(params, context).data()))).toBe(0);
});
