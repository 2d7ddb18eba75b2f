import {
  type AdapterMethod,
  createAdapter,
  forwardBase,
  type LayerSpec,
  mergeWeight,
  mul,
  type Shape,
  sizeOf,
  sub,
  tensor,
  type Tensor,
  tileRows,
  torchGenerator,
  torchUniform,
  zeros,
} from "@weft/tensor-core";
import { type Check, type MethodCase, methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import { SHIRA, ShiraConfig, SUPERTUNING, SupertuningConfig, UNILORA, UniLoraConfig, WAVEFT, WaveFTConfig } from "./index.js";

const make = (shape: Shape, seed: number, size = 0.3): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * i * 0.7 + seed)),
    { shape },
  );
const places = (shape: Shape, below: (i: number) => number): Tensor =>
  tensor(
    Int32Array.from({ length: sizeOf(shape) }, (_, i) => (i * 5 + Math.floor(i / 7)) % below(i)),
    { shape },
  );
async function close(got: Tensor, want: Tensor): Promise<void> {
  const [a, b] = [await got.data(), await want.data()];
  expect(got.shape).toEqual(want.shape);
  b.forEach((v, i) => expect(a[i]).toBeCloseTo(v, 5));
}

const linear: LayerSpec = { kind: "linear", shape: [12, 8], dtype: "f32", bias: true };
const turned: LayerSpec = { ...linear, shape: [8, 12], transposed: true };

type Entry = readonly [method: AdapterMethod<never>, cases: readonly MethodCase<never>[]];
/** A method on layers: parameters without a pattern, places by `below` where the parameter is one of places. */
function entry<C>(method: AdapterMethod<C>, configs: readonly C[], layers: readonly LayerSpec[], below: (i: number) => number): Entry {
  const cases = configs.flatMap((config) =>
    layers.map((layer): MethodCase<C> => {
      const specs = { ...method.parameters(config, layer), ...method.shared?.parameters(config, [{ path: "layer", layer }]) };
      const params = Object.entries(specs).map(([name, { shape }], i) => [
        name,
        name.startsWith("indices") ? places(shape, below) : make(shape, i + 0.37),
      ]);
      const name = `${layer.transposed ? "transposed" : layer.kind} [${layer.shape}] ${JSON.stringify(config)}`;
      return { name, config, layer, params: Object.fromEntries(params) };
    }),
  );
  return [method, cases] as never;
}

const ENTRIES: readonly Entry[] = [
  // The first half of SHiRA's places are rows, the other columns.
  entry(SHIRA, [new ShiraConfig({ r: 1 })], [linear], (i) => (i < 20 ? 12 : 8)),
  entry(SUPERTUNING, [new SupertuningConfig({ sparsity: 0.7 }), new SupertuningConfig({ sparsity: 0.9, r: 2 })], [linear], () => 96),
  entry(UNILORA, [new UniLoraConfig({ r: 2, thetaDLength: 30, saveIndices: true })], [linear, turned], () => 30),
  entry(WAVEFT, [new WaveFTConfig({ nFrequency: 30 }), new WaveFTConfig({ nFrequency: 30, useIdwt: false })], [linear, turned], () => 1),
  entry(WAVEFT, [new WaveFTConfig({ nFrequency: 30 })], [{ ...linear, shape: [7, 9] }], () => 1),
];

test.each(ENTRIES.flatMap(([method, cases]): Check[] => methodChecks(method, cases)))("$name", ({ run }) => run());

describe.each(ENTRIES.flatMap(([method, cases]) => cases.map((at) => ({ name: `${method.name} on ${at.name}`, method, at }))))(
  "$name",
  ({ method, at }) => {
    const { layer, config, params } = at;
    const weight = make(layer.shape, 1);
    const base = { weight, bias: make([layer.shape[layer.transposed ? 1 : 0]!], 2) };
    const x = make([3, layer.shape[layer.transposed ? 0 : 1]!], 3);
    const context = (scale: number) => ({ layer, config, scale }) as never;
    const merged = (scale: number) => mergeWeight(method, weight, params!, context(scale));

    it("has half the effect at half the strength, merged or not", async () => {
      const half = mul(sub(merged(1), weight), 0.5);
      await close(sub(merged(0.5), weight), half);
      await close(method.forward(x, base, params!, context(0.5)), forwardBase(layer, { ...base, weight: merged(0.5) }, x));
    });
    it.skipIf(layer.transposed)("is merged by rows", () => {
      const tile = tileRows((w) => mergeWeight(method, w, params!, context(1)), weight, 1, 3);
      expect(tile?.input.shape).toEqual([2, layer.shape[1]]);
    });
    it("stands on what is below it, and drops its own input alone", async () => {
      const want = forwardBase(layer, { ...base, weight: merged(1) }, x);
      const below = { ...base, forward: (input: Tensor) => forwardBase(layer, base, input) };
      await close(method.forward(x, below, params!, context(1)), want);
      await close(
        method.forward(x, base, params!, context(1), (input) => input),
        want,
      );
    });
  },
);

describe("a new adapter", () => {
  const fc = { weight: make([24, 16], 1), bias: make([24], 2) };
  it.each(
    [
      [SHIRA, new ShiraConfig({ r: 2 })],
      [SUPERTUNING, new SupertuningConfig()],
      [SUPERTUNING, new SupertuningConfig({ sparsity: 0.5, selectTop: false, r: 3 })],
      [WAVEFT, new WaveFTConfig({ nFrequency: 9 })],
    ].map(([method, config]) => [(method as AdapterMethod<never>).name, method, config] as const),
  )("of %s changes nothing", async (_, method, config) => {
    const x = make([2, 16], 3, 1);
    const adapter = await createAdapter(method as AdapterMethod<unknown>, config, { fc });
    await close(adapter.forward("fc", x), forwardBase({ ...linear, shape: [24, 16] }, fc, x));
  });
  it("of SHiRA trains the places that torch draws for its seed", async () => {
    const { params } = (await createAdapter(SHIRA, new ShiraConfig({ r: 2, randomSeed: 5 }), { fc })).get("fc");
    const drawn = Array.from(await params.indices!.data());
    expect(drawn.slice(0, 6)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(drawn.slice(80, 86)).toEqual([3, 5, 7, 9, 14, 15]);
  });
  it.each([
    [true, [1, 3, 4]],
    [false, [0, 1, 2]],
  ])("of Supertuning trains the extreme weights (largest: %s), of equal ones the first", async (selectTop, expected) => {
    const weight = tensor([
      [1, -2, 1],
      [5, -3, 2],
    ]);
    const { params } = (await createAdapter(SUPERTUNING, new SupertuningConfig({ sparsity: 0.5, selectTop }), { fc: { weight } })).get(
      "fc",
    );
    expect([...(await params.indices!.data())]).toEqual(expected);
  });
});

it("Supertuning's dropout leaves the values alone", async () => {
  const [, cases] = ENTRIES[1]!;
  const { layer, config, params } = cases[1]!;
  const base = { weight: make(layer.shape, 1), bias: make([12], 2) };
  const [x, context] = [make([3, 8], 3), { layer, config, scale: 1 }];
  const { values, indices } = params!;
  await close(
    SUPERTUNING.forward(x, base, params!, context, () => zeros(x.shape)),
    SUPERTUNING.forward(x, base, { values: values!, indices: indices! }, context),
  );
});

describe("layers and configs that do not fit", () => {
  it.each([
    [() => SHIRA.parameters(new ShiraConfig({ r: 9 }), linear), "r·(in + out) is 180, at most 96"],
    [() => SUPERTUNING.parameters(new SupertuningConfig({ sparsity: 0.999 }), linear), "a sparsity of 0.999 trains 0 of 96 weights"],
    [() => SUPERTUNING.parameters(new SupertuningConfig(), { ...linear, kind: "embedding" }), "for layers of kind linear, got embedding"],
    [() => new SupertuningConfig({ sparsity: 1 }), "sparsity is 1, expected a number from 0 to below 1"],
    [() => new SupertuningConfig({ save_precomputed_indices: false }), "save_precomputed_indices is false, expected true: save it again"],
    [() => WAVEFT.parameters(new WaveFTConfig({ nFrequency: 97 }), linear), "n_frequency is 97, at most 96"],
    [() => new WaveFTConfig({ wavelet_family: "bior1.3" }), 'wavelet_family is "bior1.3", expected one of "db1"'],
    // PEFT's config takes it, and its forward pass fails.
    [() => WAVEFT.parameters(new WaveFTConfig({ nFrequency: 9, wavelet_family: "coif5" }), linear), "has no filters that work for it"],
  ])("are refused (%#)", (f, message) => expect(f).toThrow(message));
  it("a wavelet without filters is fine where it is not used", () =>
    expect(WAVEFT.parameters(new WaveFTConfig({ nFrequency: 9, wavelet_family: "coif5", useIdwt: false }), linear)).toHaveProperty(
      "spectrum",
    ));
});

describe("places of a new Uni-LoRA adapter, over two layers", () => {
  // PEFT's UniLoraModel.generate_index(10, 4, 42): A [1, 3] and B [2, 1] of the first layer, then of the second.
  const dealt = [
    [
      [0, 3, 3],
      [3, 0],
    ],
    [
      [1, 2, 1],
      [2, 0],
    ],
  ] as const;
  const counts = [3, 2, 2, 3];

  it.each([true, false])("follow from the seed, with save_indices %s", async (saveIndices) => {
    const weight = zeros([2, 3]);
    const config = new UniLoraConfig({ r: 1, thetaDLength: 4, saveIndices });
    const adapter = await createAdapter(UNILORA, config, { first: { weight }, second: { weight } }, { seed: 3 });
    const theta = torchUniform(torchGenerator(3), 4, -0.02, 0.02);
    const entry = (place: number): number => theta[place]! / Math.sqrt(counts[place]!);
    for (const [i, path] of ["first", "second"].entries()) {
      const layer = adapter.get(path);
      expect("indices_A" in layer.params).toBe(saveIndices);
      const y = await layer
        .forward(
          tensor([
            [1, 0, 0],
            [0, 1, 0],
            [0, 0, 1],
          ]),
        )
        .data();
      const [a, b] = dealt[i]!;
      a.forEach((column, j) => b.forEach((row, k) => expect(y[2 * j + k]).toBeCloseTo(entry(row) * entry(column), 9)));
    }
  });
});
