import {
  add,
  type BaseLayer,
  type AdapterMethod,
  cayley,
  cayleyNeumann,
  forwardAdapters,
  forwardBase,
  type LayerSpec,
  matmul,
  mergeWeight,
  mul,
  type Params,
  type Shape,
  sizeOf,
  swapLast,
  tensor,
  type Tensor,
  tileRows,
} from "@weft/tensor-core";
import { type MethodCase, methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import { BOFT, BOFTConfig, createBoft, createHra, createOft, HRA, HRAConfig, OFT, OFTConfig } from "./index.js";
import { rotationBlocks } from "./oft/rotation-blocks.js";

const make = (shape: Shape, seed: number, size = 0.4): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * 1.7 + seed)),
    { shape },
  );
async function close(got: Tensor, want: Tensor): Promise<void> {
  const [a, b] = [await got.data(), await want.data()];
  expect(got.shape).toEqual(want.shape);
  b.forEach((v, i) => expect(a[i]).toBeCloseTo(v, 5));
}

const linear: LayerSpec = { kind: "linear", shape: [6, 8], dtype: "f32", bias: true };
const transposed: LayerSpec = { ...linear, shape: [8, 6], transposed: true };
const embedding: LayerSpec = { kind: "embedding", shape: [5, 8], dtype: "f32", bias: false };
const conv = { stride: [2, 1], padding: [1, 0], dilation: [1, 1], groups: 1 };
const conv2d: LayerSpec = { kind: "conv2d", shape: [4, 2, 2, 2], dtype: "f32", bias: true, conv };

const on = <C>(config: C, layers: { readonly [name: string]: LayerSpec }): MethodCase<C>[] =>
  Object.entries(layers).map(([name, layer]) => ({ name, config, layer }));
const oft = new OFTConfig({ oftBlockSize: 4 });
const OFT_CASES = [
  ...on(oft, { linear, transposed, embedding, conv2d }),
  ...on({ ...oft, useCayleyNeumann: false }, { "linear, exact": linear }),
  ...on({ ...oft, blockShare: true }, { "linear, one block": linear, "embedding, one block": embedding }),
];
const boft = new BOFTConfig({ boftBlockSize: 2 });
const BOFT_CASES = [
  ...on(boft, { linear, conv2d }),
  ...on({ ...boft, boftNButterflyFactor: 2 }, { "linear, two factors": linear, "conv2d, two factors": conv2d }),
  ...on({ ...boft, boftNButterflyFactor: 3 }, { "transposed, three factors": transposed }),
];
const HRA_CASES = [
  ...on(new HRAConfig({ r: 3 }), { linear, transposed, conv2d }),
  // Sines in equal steps lie in a plane: a third one would be orthogonalised to nothing.
  ...on(new HRAConfig({ r: 3, applyGS: true }), { "linear, Gram–Schmidt": linear, "conv2d, Gram–Schmidt": conv2d }).map((c) => ({
    ...c,
    params: {
      u: tensor(
        Float32Array.from({ length: 24 }, (_, i) => Math.sin(i * i)),
        { shape: [8, 3] },
      ),
    },
  })),
];

test.each([...methodChecks(OFT, OFT_CASES), ...methodChecks(BOFT, BOFT_CASES), ...methodChecks(HRA, HRA_CASES)])("$name", ({ run }) =>
  run(),
);

const values = <C>(method: AdapterMethod<C>, { config, layer }: MethodCase<C>): Params =>
  Object.fromEntries(Object.entries(method.parameters(config, layer)).map(([name, { shape }], i) => [name, make(shape, i)]));

function turned<C>(method: AdapterMethod<C>, cases: readonly MethodCase<C>[]): void {
  describe.each(cases)(`${method.name} on $name`, (at) => {
    const { config, layer } = at;
    const params = at.params ?? values(method, at);
    const context = { layer, config, scale: 1 };
    const base: BaseLayer = { weight: make(layer.shape, 1), bias: layer.bias ? make([layer.kind === "conv2d" ? 4 : 6], 2) : undefined };
    const W = mergeWeight(method, base.weight, params, context);
    const x =
      layer.kind === "embedding"
        ? tensor(Int32Array.of(3, 0, 4), { shape: [3] })
        : make(layer.kind === "conv2d" ? [1, 2, 5, 4] : [3, 8], 3);

    // Rows of a weight [in, out] are what is rotated.
    it.skipIf(layer.transposed)("merges rows of the weight from those rows alone", () => {
      const tile = tileRows((w) => mergeWeight(method, w, params, context), base.weight, 1, 3);
      expect(tile?.input.shape).toEqual([2, ...layer.shape.slice(1)]);
    });
    it("has half the effect at half the strength, merged or not", async () => {
      const half = mul(add(base.weight, W), 0.5);
      await close(mergeWeight(method, base.weight, params, { ...context, scale: 0.5 }), half);
      await close(method.forward(x, base, params, { ...context, scale: 0.5 }), forwardBase(layer, base, x, half));
    });
    it("stands on what is below it", async () => {
      const below: BaseLayer = { ...base, forward: (input) => forwardBase(layer, base, input) };
      await close(method.forward(x, below, params, context), forwardBase(layer, base, x, W));
    });
    it.skipIf(layer.kind === "conv2d")("chains as the merges do", async () => {
      const attached = { method, params, context } as never;
      await close(
        forwardAdapters(layer, base, [attached, attached], x),
        forwardBase(layer, base, x, mergeWeight(method, W, params, context)),
      );
    });
  });
}
turned(OFT, OFT_CASES);
turned(BOFT, BOFT_CASES);
turned(HRA, HRA_CASES);

describe("OFT's rotations", () => {
  const v = make([2, 6], 1, 0.1);
  const identity = tensor([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1], { shape: [1, 4, 4] });
  const twice = (t: Tensor): Tensor => add(t, mul(make([2, 4, 4], 0, 0), 0));
  it("are orthogonal if exact, and the series is near their transpose", async () => {
    const exact = rotationBlocks(v, { ...oft, useCayleyNeumann: false });
    await close(matmul(exact, swapLast(exact)), twice(identity));
    await close(rotationBlocks(v, { ...oft, numCayleyNeumannTerms: 30 }), swapLast(exact));
  });
  it("read the entries above the diagonal row by row", async () => {
    const Q = tensor(
      [0, 1, 2, -1, 0, 3, -2, -3, 0].map((n) => n / 50),
      { shape: [1, 3, 3] },
    );
    const given = tensor([[1, 2, 3].map((n) => n / 50)]);
    await close(rotationBlocks(given, { ...oft, useCayleyNeumann: false }), cayley(Q));
    await close(rotationBlocks(given, oft), cayleyNeumann(Q, 5));
  });
  it("of constrained OFT are no larger than eps / √blocks", async () => {
    const config = { ...oft, coft: true, eps: 0.02, numCayleyNeumannTerms: 2 };
    // I + 2Q of a block [[0, q], [-q, 0]]: ‖Q‖ = √2·|q|, limit 0.02/√2.
    const R = await rotationBlocks(tensor([[0.5], [0.001]]), config).data();
    expect(R[1]).toBeCloseTo(2 * 0.01, 6);
    expect(R[5]).toBeCloseTo(2 * 0.001, 6);
  });
  it("have a block size that divides the features, the nearest to the one asked for", () => {
    const blocks = (fields: object, shape = [4, 24]): Shape => OFT.parameters(new OFTConfig(fields), { ...linear, shape }).R!.shape;
    expect(blocks({})).toEqual([1, 276]);
    expect(blocks({ oftBlockSize: 5 })).toEqual([6, 6]);
    expect(blocks({ oftBlockSize: 10 })).toEqual([3, 28]);
    expect(blocks({ r: 5, oftBlockSize: 0 })).toEqual([4, 15]);
    expect(OFT.configFromShapes!(new OFTConfig(), linear, { R: [4, 1] })).toMatchObject({ r: 0, oftBlockSize: 2, blockShare: false });
    expect(OFT.configFromShapes!(new OFTConfig(), linear, { R: [1, 1] })).toMatchObject({ oftBlockSize: 2, blockShare: true });
  });
});

describe("layers and configs that do not fit", () => {
  const grouped: LayerSpec = { ...conv2d, conv: { ...conv, groups: 2 } };
  it.each([
    [() => OFT.parameters(new OFTConfig({ r: 2 }), linear), "either r or oft_block_size"],
    [() => OFT.parameters(oft, grouped), "needs groups = 1, got 2"],
    [() => OFT.configFromShapes!(oft, linear, { legacy: [2, 4, 4] }), "PEFT 0.15 or older"],
    [() => OFT.configFromShapes!(oft, linear, { R: [2, 4] }), "4 entries per block"],
    [() => BOFT.parameters(new BOFTConfig({ boftBlockNum: 2 }), linear), "either boft_block_size or boft_block_num"],
    [() => BOFT.parameters(new BOFTConfig({ boftBlockSize: 3 }), linear), "8 features are not divisible by 3"],
    [() => BOFT.parameters(new BOFTConfig({ boftNButterflyFactor: 3 }), linear), "2 blocks of 4 cannot have 3 butterfly factors"],
    [() => BOFT.parameters(boft, embedding), "kind linear, conv2d; got embedding"],
    [() => HRA.parameters(new HRAConfig(), embedding), "kind linear, conv2d; got embedding"],
  ])("are refused (%#)", (f, message) => expect(f).toThrow(message));
});

describe("a new adapter", () => {
  const fc = { weight: make([3, 4], 1), bias: make([3], 2) };
  const x = make([2, 4], 3);
  it.each([
    ["OFT", () => createOft({ oftBlockSize: 2 }, { fc })],
    ["BOFT", () => createBoft({ boftBlockSize: 2, boftNButterflyFactor: 2 }, { fc })],
    ["HRA", () => createHra({ r: 4 }, { fc })],
  ])("of %s changes nothing", async (_, create) => {
    await close((await create()).forward("fc", x), forwardBase(linear, fc, x));
  });
  const drawn = async (r: number): Promise<Float32Array> => {
    const adapter = await createHra({ r }, { fc }, { seed: 7 });
    return (await adapter.get("fc").params.u!.data()) as Float32Array;
  };
  it("of HRA has torch's values after manual_seed(7): pairs if r is even", async () => {
    // torch.manual_seed(7); get_peft_model(Linear(4, 3), HRAConfig(r=…)).hra_u, PEFT 0.21.2
    const half = [
      0.04938792809844017, -0.4259566068649292, 0.22515933215618134, 0.2218763530254364, -0.37793222069740295, -0.10597917437553406,
      -0.4142428934574127, 0.18347492814064026,
    ];
    expect([...(await drawn(4))]).toEqual(half.flatMap((v) => [v, v]));
    expect([...(await drawn(3))].slice(0, 5)).toEqual([
      0.04032507538795471, -0.3477921187877655, 0.18384182453155518, 0.1811612844467163, -0.3085803687572479,
    ]);
  });
  it("starts at random if asked to", async () => {
    const adapter = await createBoft({ boftBlockSize: 2, initWeights: false }, { fc });
    const s = await adapter.get("fc").params.s!.data();
    s.forEach((v) => expect(Math.abs(v - 1)).toBeLessThan(0.5));
    expect(new Set(s).size).toBe(3);
  });
});
