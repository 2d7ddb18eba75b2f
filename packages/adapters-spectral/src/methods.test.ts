import {
  type AdapterMethod,
  createAdapter,
  forwardBase,
  gradients,
  type LayerInput,
  type LayerSpec,
  matmul,
  mul,
  ones,
  type Params,
  type Shape,
  sizeOf,
  sum,
  swapLast,
  tensor,
  type Tensor,
  torchGenerator,
  torchNormal,
} from "@weft/tensor-core";
import { type MethodCase, methodChecks } from "@weft/tensor-core/testing";
import { describe, expect, it, test } from "vitest";
import * as spectral from "./index.js";

const { ADAMSS, AdamssConfig, FROD, FrodConfig, OSF, OsfConfig, PSOFT, PsoftConfig, TINYLORA, TinyLoraConfig } = spectral;

const wave = (shape: Shape, phase: number, size = 0.3): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => size * Math.sin(i * i * 0.7 + phase)),
    { shape },
  );
const random = (shape: Shape, seed: number, size = 0.3): Tensor =>
  tensor(torchNormal(torchGenerator(seed), sizeOf(shape), 0, size), { shape });
const ints = (values: readonly number[], shape: Shape): Tensor => tensor(Int32Array.from(values), { shape });

const linear: LayerSpec = { kind: "linear", shape: [12, 8], dtype: "f32", bias: true };
const turned: LayerSpec = { ...linear, shape: [8, 12], transposed: true };
const embedding: LayerSpec = { kind: "embedding", shape: [9, 6], dtype: "f32", bias: false };

/** A case whose derived parameters are any: what must hold does not depend on where they are from. */
function withDerived<C>(method: AdapterMethod<C>, config: C, layer: LayerSpec, derived: Params): MethodCase<C> {
  const specs = { ...method.parameters(config, layer), ...method.shared?.parameters(config, [{ path: "fc", layer }]) };
  const own = Object.fromEntries(Object.entries(specs).map(([name, { shape }], i) => [name, wave(shape, i + 0.37)]));
  return {
    name: `${layer.transposed ? "transposed" : layer.kind} ${JSON.stringify(config)}`,
    config,
    layer,
    params: { ...own, ...derived },
  };
}

type Entry = readonly [method: AdapterMethod<never>, cases: readonly MethodCase<never>[]];
const entry = <C>(method: AdapterMethod<C>, cases: readonly MethodCase<C>[]): Entry => [method, cases] as never;

const principal = (r: number): Params => ({ A: wave([r, 8], 3), B: wave([12, r], 4) });
const tiny = { ...new TinyLoraConfig({ r: 2, u: 5 }), group: 0 };
const osf: Params = { U_start: wave([12, 3], 5), S_start: wave([3], 6), V_start: wave([3, 8], 7) };
// With directions that are kept a gradient is not the slope; torch's own are in the golden cases.
const nothingKept: Params = { U_kept: mul(wave([12, 5], 8), 0), V_kept: mul(wave([5, 8], 9), 0) };
const groups = [
  { size: 7, rank: 2 },
  { size: 5, rank: 1 },
];
const ENTRIES: readonly Entry[] = [
  entry(PSOFT, [
    withDerived(PSOFT, new PsoftConfig({ r: 4 }), linear, principal(4)),
    withDerived(PSOFT, new PsoftConfig({ r: 3, psoftOrth: false, psoftMagA: false }), linear, principal(3)),
    withDerived(PSOFT, new PsoftConfig({ r: 4, useCayleyNeumann: true, psoftMagB: false }), linear, principal(4)),
  ]),
  entry(OSF, [withDerived(OSF, new OsfConfig({ effectiveRank: 5 }), linear, { ...osf, ...nothingKept })]),
  entry(TINYLORA, [
    withDerived(TINYLORA, tiny, linear, {}),
    withDerived(TINYLORA, tiny, turned, {}),
    withDerived(TINYLORA, tiny, embedding, {}),
    withDerived(TINYLORA, { ...tiny, saveProjection: false }, linear, { P: wave([5, 2, 2], 2) }),
  ]),
  entry(FROD, [
    withDerived(FROD, { ...new FrodConfig({ sparseRate: 0.05 }), category: "fc" }, linear, {
      "frod_s_indices.fc": ints([0, 3, 7, 1, 2, 5], [2, 3]),
      U: wave([12, 8], 4),
    }),
  ]),
  entry(ADAMSS, [
    withDerived(ADAMSS, { ...new AdamssConfig({ r: 6 }), groups }, linear, { places: ints([3, 0, 11, 5, 1, 2, 4, 10, 9, 6, 7, 8], [12]) }),
  ]),
];

describe.each(ENTRIES.flatMap(([method, cases]) => methodChecks(method, cases)))("$name", ({ run }) => {
  test("holds", run);
});

async function close(got: Tensor, want: Tensor, digits = 5): Promise<void> {
  const [a, b] = [await got.data(), await want.data()];
  expect(got.shape).toEqual(want.shape);
  b.forEach((v, i) => expect(a[i]).toBeCloseTo(v, digits));
}

const base: LayerInput = { weight: random([12, 8], 1), bias: random([12], 2) };
const spec: LayerSpec = { ...linear };
const x = random([3, 8], 3, 1);

describe("a new adapter", () => {
  it.each<[string, AdapterMethod<never>, object, number]>([
    ["PSOFT", PSOFT as never, new PsoftConfig({ r: 4 }), 6 + 4 + 4],
    ["OSF", OSF as never, new OsfConfig({ effectiveRank: 0.5 }), 12 * 4 + 4 + 4 * 8],
    ["TinyLoRA", TINYLORA as never, new TinyLoraConfig({ u: 5 }), 0],
    ["AdaMSS", ADAMSS as never, new AdamssConfig({ r: 6, numSubspaces: 3, subspaceRank: 2 }), 3 * 2 * 6 + 12 * 2],
  ])("%s changes nothing, and trains what it says", async (_, method, config, trainable) => {
    const adapter = await createAdapter(method, config as never, { "layers.0.fc": base, "layers.1.fc": base });
    await close(adapter.forward("layers.1.fc", x), forwardBase(spec, base, x));
    expect(adapter.get("layers.1.fc").summary.trainable).toBe(trainable);
  });

  it("of FRoD is refused", async () => {
    await expect(createAdapter(FROD, new FrodConfig(), { fc: base })).rejects.toThrow(/PEFT reads a new adapter right only if/);
  });
});

describe("PSOFT", () => {
  it("turns the rows of W in all directions alike, where r is all of them: products of rows stay", async () => {
    const layer = (await createAdapter(PSOFT, new PsoftConfig({ r: 8, psoftMagA: false, psoftMagB: false }), { fc: base })).get("fc");
    layer.set("R.weight", random([28], 5));
    layer.merge();
    const [before, after] = [await base.weight.data(), await layer.weight.data()];
    expect(Math.max(...Array.from(before, (v, i) => Math.abs(v - after[i]!)))).toBeGreaterThan(0.05);
    await close(matmul(layer.weight, swapLast(layer.weight)), matmul(base.weight, swapLast(base.weight)));
  });

  it("refuses a weight whose vectors may be any", async () => {
    const eye = tensor(
      Float32Array.from({ length: 64 }, (_, i) => (i % 9 === 0 ? 1 : 0)),
      { shape: [8, 8] },
    );
    await expect(createAdapter(PSOFT, new PsoftConfig({ r: 2 }), { fc: { weight: eye } })).rejects.toThrow(
      /fc: the weight does not determine its singular vectors/,
    );
  });

  it.each([
    [{ psoft_alpha: 0 }, /psoft_alpha is 0, expected a number above 0/],
    [{ cayley_neumann_eps: 1 }, /cayley_neumann_eps is 1/],
    [{ ab_svd_init: "x" }, /ab_svd_init is "x"/],
  ])("refuses %j", (fields, message) => expect(() => new PsoftConfig(fields)).toThrow(message));
});

describe("OSF", () => {
  it("keeps gradients away from the directions that stay", async () => {
    const layer = (await createAdapter(OSF, new OsfConfig({ effectiveRank: 5 }), { fc: base })).get("fc");
    const [du, dv] = gradients(sum(mul(layer.forward(x), random([3, 12], 9, 1))), [layer.params.U_low!, layer.params.V_low!]);
    const plain = (await createAdapter(OSF, new OsfConfig({ effectiveRank: 7 }), { fc: base })).get("fc");
    // The lowest direction of a split after 7 is the lowest of a split after 5; the upper ones are what is kept there.
    const [U, V] = [await layer.params.U_low!.data(), await layer.params.V_low!.data()];
    const [lowest, last] = [await plain.params.U_low!.data(), await plain.params.V_low!.data()];
    for (let i = 0; i < 12; i++) expect(U[i * 3 + 2]).toBeCloseTo(lowest[i]!, 5);
    for (let j = 0; j < 8; j++) expect(V[2 * 8 + j]).toBeCloseTo(last[j]!, 5);
    // V is square with the kept part: gradients lie in the span of the lower rows of V alone.
    const gv = await dv!.data();
    for (let i = 0; i < 3; i++) {
      const row = gv.slice(i * 8, (i + 1) * 8);
      const inside = new Float64Array(8);
      for (let k = 0; k < 3; k++) {
        let dot = 0;
        for (let j = 0; j < 8; j++) dot += row[j]! * V[k * 8 + j]!;
        for (let j = 0; j < 8; j++) inside[j]! += dot * V[k * 8 + j]!;
      }
      expect(Math.hypot(...row)).toBeGreaterThan(1e-3);
      row.forEach((v, j) => expect(v).toBeCloseTo(inside[j]!, 4));
    }
    expect(Math.hypot(...(await du!.data()))).toBeGreaterThan(1e-3);
  });

  it("takes shares and patterns as PEFT", () => {
    const config = new OsfConfig({ effective_rank: 0.3, rank_pattern: { "q_proj|k": 2, "^layers\\.1": 0.5 } });
    const at = (path: string): number => {
      const matches = (pattern: string): boolean => new RegExp(`^(?:${pattern})$`).test(path);
      return OSF.parameters(OSF.configAt!(config, path, matches), linear).S_low!.shape[0]!;
    };
    expect(["layers.0.q_proj", "layers.1.v_proj", "layers.0.v_proj", "layers.1.q_proj"].map(at)).toEqual([6, 4, 6, 6]);
  });

  it("refuses to keep nothing", () =>
    expect(() => OSF.parameters(new OsfConfig({ effective_rank: 0.1 }), linear)).toThrow(
      /effective_rank 0.1 keeps none of the 8 directions/,
    ));
});

describe("TinyLoRA", () => {
  const seven = Array.from({ length: 7 }, (_, i) => ({ path: `layers.${i}.fc`, layer: linear }));
  it.each([
    // max(1, round(n·(1 - t))) with Python's rounding of halves to even.
    [7, 0.5, 4],
    [5, 0.5, 2],
    [7, 0, 7],
    [7, 1, 1],
    [3, 0.9, 1],
  ])("%i layers, tying %d: %i vectors", (layers, weightTying, vectors) => {
    const config = new TinyLoraConfig({ weightTying });
    expect(Object.keys(TINYLORA.shared!.parameters(config, seven.slice(0, layers)))).toHaveLength(vectors);
  });

  it("deals out vectors by the order of layers, which projections in the file tell as well", async () => {
    const config = new TinyLoraConfig({ weightTying: 0.5, u: 4 });
    const groupOf = async (index: number | undefined, loaded: Params, isNew: boolean): Promise<number | undefined> => {
      const origin = { path: "fc", weight: () => base.weight, bias: () => undefined, index, count: 7 };
      return (await TINYLORA.derived!.derive(config, linear, origin, loaded, isNew)).config!.group;
    };
    const found = [];
    for (let index = 0; index < 7; index++) {
      const origin = { path: "fc", weight: () => base.weight, bias: () => undefined, index, count: 7 };
      const { initial } = await TINYLORA.derived!.derive(config, linear, origin, {}, true);
      found.push(await groupOf(undefined, initial!, false));
    }
    expect(found).toEqual([0, 1, 2, 3, 3, 3, 3]);
    const strange = { A: ones([2, 8]), B: ones([12, 2]), P: ones([4, 2, 2]) };
    await expect(groupOf(undefined, strange, false)).rejects.toThrow(/its projection is none that follows from projection_seed/);
    expect(await groupOf(6, strange, false)).toBe(3);
  });
});

describe("FRoD", () => {
  it.each([
    ["encoder.layer.0.attention.self.query", "self_query"],
    ["vision_model.encoder.layers.0.self_attn.q_proj", "self_attn_q_proj"],
    ["encoder.layer.0.attention.output.dense", "attention_output"],
    ["encoder.layer.0.output.dense", "output_dense"],
    ["blocks.0.qkv", "qkv"],
    ["head", "head"],
  ])("%s shares the projection of %s", (path, category) => {
    const names = Object.keys(FROD.shared!.parameters(new FrodConfig(), [{ path, layer: linear }]));
    expect(names).toEqual([`frod_V.${category}`, `frod_s_indices.${category}`, `frod_s_size.${category}`]);
  });

  it("refuses modules of one role with different inputs, and files without projections", () => {
    const modules = [linear, { ...linear, shape: [12, 9] }].map((layer, i) => ({ path: `layers.${i}.fc`, layer }));
    expect(() => FROD.shared!.parameters(new FrodConfig(), modules)).toThrow(
      /layers\.0\.fc, layers\.1\.fc share a projection, but have 8 and 9 inputs/,
    );
    expect(() => new FrodConfig({ save_projection: false })).toThrow(/save it again with PEFT/);
  });
});
