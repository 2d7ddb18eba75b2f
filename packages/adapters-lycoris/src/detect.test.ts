import { type LayerSpec, type Shape } from "@weft/tensor-core";
import { describe, expect, it } from "vitest";
import { detectLycoris, rankScale } from "./index.js";

const linear: LayerSpec = { kind: "linear", shape: [24, 16], dtype: "f32", bias: true };
const conv: LayerSpec = {
  kind: "conv2d",
  shape: [24, 16, 3, 3],
  dtype: "f32",
  bias: true,
  conv: { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 },
};
const module = (shapes: { readonly [suffix: string]: Shape }) =>
  new Map(Object.entries(shapes).map(([suffix, shape]) => [suffix, { shape }]));

/** What a file with these shapes is on a layer. */
function read(shapes: { readonly [suffix: string]: Shape }, layer: LayerSpec, scalars: { readonly [suffix: string]: number } = {}) {
  const detected = detectLycoris(module(shapes))!;
  const byName = Object.fromEntries(Object.entries(detected.params).map(([name, suffix]) => [name, shapes[suffix]!]));
  const config = detected.method.configFromShapes!(detected.config(scalars), layer, byName);
  const specs = detected.method.parameters(config, layer);
  return { ...detected, config: config as { r: number; alpha: number | null; [more: string]: unknown }, specs, byName };
}

describe("what a module's tensors are", () => {
  it.each([
    ["LOCON", { "lora_up.weight": [24, 4], "lora_down.weight": [4, 16], alpha: [], diff: [24, 16] }],
    ["LOHA", { hada_w1_a: [24, 4], hada_w1_b: [4, 16], hada_w2_a: [24, 4], hada_w2_b: [4, 16] }],
    ["LYCORIS_IA3", { weight: [24], on_input: [] }],
    ["LOKR", { lokr_w1_a: [4, 1], lokr_w1_b: [1, 4], lokr_w2: [6, 4] }],
    ["FULL", { diff: [24, 16], w_norm: [24] }],
    ["FULL", { diff_b: [24] }],
    ["NORM", { w_norm: [24], b_norm: [24] }],
    ["DIAG_OFT", { oft_blocks: [6, 4, 4], alpha: [] }],
    ["LYCORIS_BOFT", { oft_blocks: [3, 4, 6, 6], alpha: [] }],
    ["LYCORIS_GLORA", { "a1.weight": [16, 4], "a2.weight": [4, 16], "b1.weight": [24, 4], "b2.weight": [4, 16] }],
    ["TLORA", { "q_layer.weight": [4, 16], "p_layer.weight": [24, 4], lambda_layer: [1, 4] }],
  ] as const)("is %s", (name, shapes) => expect(detectLycoris(module(shapes))!.method.name).toBe(name));
  it("is nothing without a parameter that tells", () => expect(detectLycoris(module({ alpha: [], weight: [3] }))).toBeUndefined());
  it("names each tensor's part, the numbers to read and what is left over", () => {
    const { params, scalars, unused } = read(
      { "lora_up.weight": [24, 4], "lora_down.weight": [4, 16], alpha: [1], bias_values: [3] },
      linear,
    );
    expect(params).toEqual({ up: "lora_up.weight", down: "lora_down.weight" });
    expect(scalars).toEqual(["alpha"]);
    expect(unused).toEqual(["bias_values"]);
  });
});

describe("the config of a module", () => {
  const lora = { "lora_up.weight": [24, 4], "lora_down.weight": [4, 16] };
  it.each([
    [{ alpha: 2 }, 0.5],
    [{ alpha: 0 }, 0],
    [{}, 1],
  ])("with %j scales by %f", (scalars, scale) => expect(rankScale(read(lora, linear, scalars).config)).toBe(scale));
  it("of rank 0 scales by 0", () => {
    expect(rankScale(read({ "lora_up.weight": [24, 0], "lora_down.weight": [0, 16] }, linear, { alpha: 1 }).config)).toBe(0);
  });
  it("takes the up factor of a convolution in two axes, and the axes of magnitudes for what they are", () => {
    const shapes = { "lora_up.weight": [24, 4], "lora_down.weight": [4, 16, 3, 3] };
    expect(read(shapes, conv).specs.up!.shape).toEqual([24, 4]);
    expect(read({ ...shapes, dora_scale: [24, 1, 1, 1] }, conv).config.wdOnOut).toBe(true);
    expect(read({ ...shapes, dora_scale: [1, 16, 1, 1] }, conv).config.wdOnOut).toBe(false);
  });
  it("of LoKr is told by the shapes alone, Tucker and unbalanced factors too", () => {
    const tucker = { lokr_w1: [4, 4], lokr_w2_a: [2, 6], lokr_w2_b: [2, 4], lokr_t2: [2, 2, 3, 3] };
    const full = { lokr_w1: [8, 2], lokr_w2: [3, 8, 3, 3] };
    const split = { lokr_w1: [4, 4], lokr_w2_a: [6, 2], lokr_w2_b: [2, 4, 3, 3] };
    for (const shapes of [tucker, full, split]) {
      const { specs, byName } = read(shapes, conv, { alpha: 3 });
      expect(Object.fromEntries(Object.entries(specs).map(([name, { shape }]) => [name, shape]))).toEqual(byName);
    }
    expect(() => read({ lokr_w1: [5, 4], lokr_w2: [6, 4, 3, 3] }, conv)).toThrow("does not divide");
  });
  it("wants other shapes where a file does not fit the layer", () => {
    const { specs } = read({ "lora_up.weight": [20, 4], "lora_down.weight": [4, 16] }, linear);
    expect(specs.up!.shape).toEqual([24, 4]);
  });
});
