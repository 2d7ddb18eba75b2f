import {
  type AdapterContext,
  type AdapterMethod,
  gradients,
  type LayerSpec,
  mul,
  type Params,
  sizeOf,
  sum,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { describe, expect, it, test } from "vitest";
import { DYLORA, LOCON, LOHA, LohaConfig, LOKR, LokrConfig, lycorisConfig } from "./index.js";

const layer: LayerSpec = { kind: "linear", shape: [4, 3], dtype: "f32", bias: false };
const values = (shape: readonly number[], phase: number): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.7 + phase)),
    { shape },
  );
const weight = values(layer.shape, 0.3);
const x = values([2, 3], 0.1);

async function changeOf(method: AdapterMethod<never>, config: object, mask?: AdapterContext<never>["mask"]): Promise<number[]> {
  const specs = method.parameters(config as never, layer);
  const params = Object.fromEntries(Object.entries(specs).map(([name, { shape }], i) => [name, values(shape, i)]));
  const run = (more: object): Tensor => method.forward(x, { weight }, params, { layer, config: config as never, scale: 1, ...more });
  const [with0, without] = [await run({ scale: 0 }).data(), await run(mask ? { mask } : {}).data()];
  return Array.from(without, (v, i) => v - with0[i]!);
}

describe("dropout of a step", () => {
  const rows = [1, 0, 1, 1];
  const METHODS: readonly (readonly [string, AdapterMethod<never>, (more: object) => object, boolean])[] = [
    ["LoCon", LOCON as never, (more) => lycorisConfig<object>(LOCON, { r: 2, ...more }), false],
    ["LoCon, scaled", LOCON as never, (more) => lycorisConfig<object>(LOCON, { r: 2, rank_dropout_scale: true, ...more }), true],
    ["LoHa of LyCORIS", LOHA as never, (more) => lycorisConfig<object>(LOHA, { r: 2, ...more }), false],
    ["LoHa of PEFT, always scaled", LOHA as never, (more) => new LohaConfig({ r: 2, ...more }), true],
    ["LoKr of PEFT", LOKR as never, (more) => new LokrConfig({ r: 2, ...more }), false],
  ];
  test.each(METHODS)("leaves out rows: %s", async (_, method, config, scaled) => {
    const asked: [readonly number[], number][] = [];
    const mask = (shape: readonly number[], rate: number): Tensor => {
      asked.push([shape, rate]);
      return tensor(rows);
    };
    const whole = await changeOf(method, config({}));
    const dropped = await changeOf(method, config({ rank_dropout: 0.25 }), mask);
    dropped.forEach((v, i) => expect(v).toBeCloseTo((whole[i]! * rows[i % 4]!) / (scaled ? 0.75 : 1), 5));
    expect(asked[0]).toEqual([[4], 0.25]);
  });
  test.each(METHODS)("leaves out the module: %s", async (_, method, config) => {
    const off = await changeOf(method, config({ module_dropout: 0.5 }), () => tensor(0));
    off.forEach((v) => expect(v).toBeCloseTo(0, 6));
  });
});

const gap = async (a: Tensor, b: Tensor): Promise<number> => {
  const [p, q] = [await a.data(), await b.data()];
  return Math.max(...Array.from(p, (v, i) => Math.abs(v - q[i]!)));
};

/** The ranks at which a gradient is not zero. */
const touched = async (t: Tensor, rank: (i: number) => number): Promise<number[]> => [
  ...new Set(Array.from(await t.data()).flatMap((v, i) => (v === 0 ? [] : [rank(i)]))),
];

it("DyLoRA trains one block of ranks: those before it are frozen, those behind it are not in use", async () => {
  const config = { ...lycorisConfig<{ r: number }>(DYLORA, { r: 6, alpha: 3, block_size: 2 }), activeBlock: 1 };
  const params: Params = { down: values([6, 3], 1), up: values([4, 6], 2) };
  const y = (DYLORA as AdapterMethod<unknown>).forward(x, { weight }, params, { layer, config, scale: 1 });
  const [down, up] = gradients(sum(mul(y, values(y.shape, 5))), [params.down!, params.up!]);
  expect((await touched(down!, (i) => Math.floor(i / 3))).toSorted()).toEqual([2, 3]);
  expect((await touched(up!, (i) => i % 6)).toSorted()).toEqual([2, 3]);
  // A training pass draws the block: 0.5 of three blocks is the second.
  const training = { layer, config: { ...config, activeBlock: undefined }, scale: 1, uniform: () => tensor(0.5) };
  const same = (DYLORA as AdapterMethod<unknown>).forward(x, { weight }, params, training);
  const own = gradients(sum(mul(same, values(same.shape, 5))), [params.down!, params.up!]);
  for (const [a, b] of [
    [same, y],
    [own[0]!, down!],
    [own[1]!, up!],
  ] as const)
    expect(await gap(a, b)).toBeLessThan(1e-6);
  for (const [u, block] of [
    [0, 0],
    [0.32, 0],
    [0.34, 1],
    [0.67, 2],
    [0.9999, 2],
  ] as const) {
    const at = (more: object): Promise<ArrayLike<number>> => DYLORA.delta!(params, { ...training, ...more } as never).data();
    const [drawn, fixed] = [await at({ uniform: () => tensor(u) }), await at({ config: { ...config, activeBlock: block } })];
    for (let i = 0; i < drawn.length; i++) expect(drawn[i]).toBeCloseTo(fixed[i]!, 5);
  }
  expect(() => DYLORA.delta!(params, { layer, config: { ...config, activeBlock: 3 } as never, scale: 1 })).toThrow("block 3");
});
