import {
  add,
  type AdapterMethod,
  createAdapter,
  forwardBase,
  type LayerInput,
  type LayerSpec,
  mergeBias,
  mergeWeight,
  mul,
  type Shape,
  sizeOf,
  tensor,
  type Tensor,
  tileRows,
} from "@weft/tensor-core";
import { type Check, type MethodCase, methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import * as variants from "./index.js";

const make = (shape: Shape, seed: number, size = 0.3): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * i * 0.7 + seed)),
    { shape },
  );
async function close(got: Tensor, want: Tensor): Promise<void> {
  const [a, b] = [await got.data(), await want.data()];
  expect(got.shape).toEqual(want.shape);
  b.forEach((v, i) => expect(a[i]).toBeCloseTo(v, 5));
}

const linear: LayerSpec = { kind: "linear", shape: [12, 8], dtype: "f32", bias: true };
const wide: LayerSpec = { ...linear, shape: [8, 12], bias: false };
const turned: LayerSpec = { ...linear, shape: [8, 12], transposed: true };
const conv2d: LayerSpec = {
  kind: "conv2d",
  shape: [4, 3, 2, 2],
  dtype: "f32",
  bias: true,
  conv: { stride: [2, 1], padding: [1, 0], dilation: [1, 1], groups: 1 },
};
const embedding: LayerSpec = { kind: "embedding", shape: [7, 8], dtype: "f32", bias: false };

/** Parameters without a pattern. */
function withParams<C>(method: AdapterMethod<C>, config: C, layer: LayerSpec): MethodCase<C> {
  const specs = { ...method.parameters(config, layer), ...method.shared?.parameters(config, [{ path: "layer", layer }]) };
  const params = Object.fromEntries(Object.entries(specs).map(([name, { shape }], i) => [name, make(shape, i + 0.37)]));
  return { name: `${layer.transposed ? "transposed" : layer.kind} [${layer.shape}] ${JSON.stringify(config)}`, config, layer, params };
}

type Entry = readonly [method: AdapterMethod<never>, cases: readonly MethodCase<never>[]];
function entry<C>(method: AdapterMethod<C>, configs: readonly C[], layers: readonly LayerSpec[]): Entry {
  return [method, configs.flatMap((config) => layers.map((layer) => withParams(method, config, layer)))] as never;
}

const v = variants;
const ENTRIES: readonly Entry[] = [
  entry(v.BEFT, [new v.BeftConfig()], [linear]),
  entry(v.C3A, [new v.C3AConfig({ blockSize: 4 })], [linear, wide]),
  entry(v.DEFT, [new v.DeftConfig({ r: 3, alpha: 6 }), new v.DeftConfig({ r: 3, decompositionMethod: "qr" })], [linear, turned]),
  entry(v.DEFT, [new v.DeftConfig({ r: 8, decompositionMethod: "qr", para: true })], [wide]),
  entry(v.DELORA, [new v.DeloraConfig({ r: 2 })], [linear, wide]),
  entry(
    v.GLORA,
    [new v.GloraConfig({ r: 2, configC: "none" }), new v.GloraConfig({ configAB: "vector", configC: "none", configDE: "vector" })],
    [linear, wide],
  ),
  entry(v.GLORA, [new v.GloraConfig({ configAB: "constant", configC: "none", configDE: "none" })], [linear]),
  entry(v.GRALORA, [new v.GraloraConfig({ r: 4 }), new v.GraloraConfig({ r: 4, graloraK: 4, hybridR: 2 })], [linear, turned]),
  entry(v.HIRA, [new v.HiraConfig({ r: 2 })], [linear, turned, conv2d, embedding]),
  entry(
    v.MISS,
    [new v.MissConfig({ r: 3 }), new v.MissConfig({ r: 4, initWeights: "bat" }), new v.MissConfig({ r: 4, miniR: 2, initWeights: "mini" })],
    [linear, wide],
  ),
  entry(
    v.PEANUT,
    [new v.PeanutConfig({ r: 3, depth: 2, actFn: "tanh" }), new v.PeanutConfig({ r: 3, actFn: "gelu", scaling: 0.5 })],
    [linear, wide],
  ),
  entry(v.PVERA, [new v.PveraConfig({ r: 3 })], [linear, turned]),
  entry(v.RANDLORA, [new v.RandLoraConfig({ r: 3, randloraAlpha: 6 })], [linear, wide, turned]),
  entry(
    v.ROAD,
    (["road_1", "road_2", "road_4"] as const).map((variant) => new v.RoadConfig({ variant, groupSize: 4 })),
    [linear, wide],
  ),
  entry(v.VBLORA, [new v.VBLoRAConfig({ r: 2, numVectors: 6, vectorLength: 4, topk: 3 })], [linear, turned]),
];

/** Methods whose merge needs the whole weight. */
const WHOLE = new Set(["DEFT", "PEANUT", "ROAD"]);

test.each(ENTRIES.flatMap(([method, cases]): Check[] => methodChecks(method, cases)))("$name", ({ run }) => run());

describe.each(ENTRIES.flatMap(([method, cases]) => cases.map((at) => ({ name: `${method.name} on ${at.name}`, method, at }))))(
  "$name",
  ({ method, at }) => {
    const { layer, config, params } = at;
    const { out } = { out: layer.kind === "conv2d" || (layer.kind === "linear" && !layer.transposed) ? layer.shape[0]! : layer.shape[1]! };
    const weight = make(layer.shape, 1);
    const base = { weight, bias: layer.bias ? make([out], 2) : undefined };
    const x =
      layer.kind === "embedding"
        ? tensor(Int32Array.of(3, 0, 4), { shape: [3] })
        : make(layer.kind === "conv2d" ? [1, 3, 4, 4] : [3, layer.transposed ? layer.shape[0]! : layer.shape[1]!], 3);
    const context = (scale: number) => ({ layer, config, scale }) as never;
    const merged = (scale: number) => ({
      weight: mergeWeight(method, weight, params!, context(scale)),
      bias: mergeBias(method, base.bias, params!, context(scale), { weight }),
    });

    it("has half the effect at half the strength, merged or not", async () => {
      const whole = merged(1);
      const half = { weight: mul(add(weight, whole.weight), 0.5), bias: base.bias && mul(add(base.bias, whole.bias!), 0.5) };
      await close(merged(0.5).weight, half.weight);
      await close(method.forward(x, base, params!, context(0.5)), forwardBase(layer, half, x));
    });
    // Rows of a weight [in, out] are no rows of ΔW.
    it.skipIf(layer.transposed)("is merged by rows where rows do not depend on one another", () => {
      const rowwise = !WHOLE.has(method.name) && !(config as { readonly initWeights?: unknown }).initWeights?.toString().startsWith("bat");
      const tile = tileRows((w) => mergeWeight(method, w, params!, context(1)), weight, 1, 3);
      expect(tile?.input.shape).toEqual(rowwise ? [2, ...layer.shape.slice(1)] : undefined);
    });
    it("stands on what is below it, and drops its own input alone", async () => {
      const below = { ...base, forward: (input: Tensor) => forwardBase(layer, base, input) };
      await close(method.forward(x, below, params!, context(1)), forwardBase(layer, merged(1), x));
      if (layer.kind !== "embedding")
        await close(
          method.forward(x, base, params!, context(1), (input) => input),
          forwardBase(layer, merged(1), x),
        );
    });
  },
);

describe("a new adapter", () => {
  const fc = { weight: make([12, 8], 1), bias: make([12], 2) };
  const created = async <C>(method: AdapterMethod<C>, config: C, layers: { readonly fc: LayerInput } = { fc }) =>
    createAdapter(method, config, layers, { seed: 7 });
  it.each(
    [
      [v.BEFT, new v.BeftConfig()],
      [v.C3A, new v.C3AConfig({ blockSize: 4, initWeights: true })],
      [v.DEFT, new v.DeftConfig({ r: 3, alpha: 5 })],
      [v.DEFT, new v.DeftConfig({ r: 3, decompositionMethod: "qr" })],
      [v.DELORA, new v.DeloraConfig()],
      [v.GLORA, new v.GloraConfig()],
      [v.GRALORA, new v.GraloraConfig({ r: 4, hybridR: 2 })],
      [v.HIRA, new v.HiraConfig()],
      [v.MISS, new v.MissConfig({ r: 3 })],
      [v.MISS, new v.MissConfig({ r: 4, initWeights: "bat" })],
      [v.PEANUT, new v.PeanutConfig({ r: 3, depth: 1 })],
      [v.PVERA, new v.PveraConfig({ r: 4 })],
      [v.RANDLORA, new v.RandLoraConfig({ r: 4 })],
      [v.ROAD, new v.RoadConfig({ groupSize: 4 })],
    ].map(([method, config]) => [(method as AdapterMethod<never>).name, method, config] as const),
  )("of %s changes nothing", async (_, method, config) => {
    const x = make([2, 8], 3, 1);
    await close((await created(method as AdapterMethod<unknown>, config)).forward("fc", x), forwardBase(linear, fc, x));
  });

  // torch.manual_seed(7), PEFT 0.21.2, a Linear(4, 3) with the weight -5 … 6.
  const counted = {
    fc: {
      weight: tensor(
        Float32Array.from({ length: 12 }, (_, i) => i - 5),
        { shape: [3, 4] },
      ),
    },
  };
  it("of DEFT puts in what it takes out, with LAPACK's signs", async () => {
    const { params } = (await created(v.DEFT, new v.DeftConfig({ r: 2, decompositionMethod: "qr" }), counted)).get("fc");
    const P = [
      -0.0029359019827097654, 0.01572282612323761, 0.018936432898044586, -0.022286880761384964, 0.03381580114364624, -0.017896557226777077,
    ];
    const R = [2.500530958175659, 3.782212972640991, 5.063895225524902, 6.345577239990234];
    await close(params.P!, tensor(P, { shape: [3, 2] }));
    (await params.R!.data()).slice(0, 4).forEach((value, i) => expect(value).toBeCloseTo(R[i]!, 4));
  });
  it("of DeLoRA and C³A begins with torch's numbers", async () => {
    const { params } = (await created(v.DELORA, new v.DeloraConfig({ r: 2 }), counted)).get("fc");
    expect([...(await params.A!.data())].slice(0, 3)).toEqual([0.03492254018783569, -0.301196813583374, 0.15921169519424438]);
    await close(params.w_norm!, tensor([5.916079998016357, 5.656854152679443, 5.916079998016357, 6.633249759674072]));
    const kernel = (await created(v.C3A, new v.C3AConfig({ blockSize: 1 }), counted)).get("fc").params.kernel!;
    expect([...(await kernel.data())].slice(0, 3)).toEqual([0.06466397643089294, -0.5577081441879272, 0.29480278491973877]);
  });
});

describe("layers and configs that do not fit", () => {
  it.each([
    [() => v.HIRA.parameters(new v.HiraConfig(), { ...conv2d, conv: { ...conv2d.conv!, groups: 2 } }), "needs groups = 1, got 2"],
    [() => v.ROAD.parameters(new v.RoadConfig(), conv2d), "ROAD is for layers of kind linear, got conv2d"],
    [() => v.ROAD.parameters(new v.RoadConfig({ groupSize: 8 }), linear), "group_size 8 must divide 12"],
    [() => v.C3A.parameters(new v.C3AConfig({ blockSize: 8 }), linear), "block_size 8 must divide 8 and 12"],
    [() => v.MISS.parameters(new v.MissConfig({ r: 9 }), linear), "r is 9, at most 8 here"],
    [() => v.VBLORA.parameters(new v.VBLoRAConfig({ vectorLength: 4, numVectors: 1 }), linear), "topk is 2, at most 1"],
    [
      () => mergeBias(v.GLORA, make([12], 1), { "C.X": make([8, 1], 1) }, { layer: linear, config: new v.GloraConfig(), scale: 1 }),
      "merged bias depends on",
    ],
  ])("are refused (%#)", (f, message) => expect(f).toThrow(message));
});
