import { createLora } from "@weft/adapters-lora";
import { type AdaptedLayer, slice, type Tensor, tensor, torchGenerator, torchNormal } from "@weft/tensor-core";
import { expect, it } from "vitest";

// A linear layer of 64 inputs and 32 outputs without a bias, and LoRA of rank 8 on it: 32·64 = 2048 weights, 8·(64 + 32) = 768 of the adapter.
const [INPUTS, OUTPUTS, RANK, ALPHA] = [64, 32, 8, 16];

const random = (shape: readonly [number, number], seed: number): Tensor =>
  tensor(torchNormal(torchGenerator(seed), shape[0] * shape[1]), { shape });

const weight = random([OUTPUTS, INPUTS], 1);
const [A, B] = [random([RANK, INPUTS], 2), random([OUTPUTS, RANK], 3)];
const x = random([5, INPUTS], 4);

/** The layer with an adapter that does something: a new one has B = 0. */
async function adapted(): Promise<AdaptedLayer<unknown>> {
  const layer = (await createLora({ r: RANK, loraAlpha: ALPHA }, { fc: { weight } })).get("fc");
  layer.set("A", A);
  layer.set("B", B);
  return layer as AdaptedLayer<unknown>;
}

/** x·Wᵀ + (alpha/r)·(x·Aᵀ)·Bᵀ in plain arithmetic. */
async function expected(withAdapter = true): Promise<number[]> {
  const [w, a, b, input] = (await Promise.all([weight, A, B, x].map((t) => t.data()))) as Float32Array[];
  const dot = (m: ArrayLike<number>, row: number, v: ArrayLike<number>, from: number, n: number): number => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += m[row * n + i]! * v[from + i]!;
    return sum;
  };
  return Array.from({ length: 5 * OUTPUTS }, (_, at) => {
    const [row, out] = [Math.floor(at / OUTPUTS), at % OUTPUTS];
    const low = Array.from({ length: RANK }, (_none, r) => dot(a!, r, input!, row * INPUTS, INPUTS));
    return dot(w!, out, input!, row * INPUTS, INPUTS) + (withAdapter ? (ALPHA / RANK) * dot(b!, out, low, 0, RANK) : 0);
  });
}

async function expectNear(found: Tensor, wanted: ArrayLike<number>, tolerance = 1e-4): Promise<void> {
  const values = await found.data();
  expect(values).toHaveLength(wanted.length);
  // Relative to the size of the sums, which are about 100.
  values.forEach((v, i) => expect(Math.abs(v - wanted[i]!)).toBeLessThan(tolerance * Math.max(1, Math.abs(wanted[i]!))));
}

it("1. a new adapter has A [r, in] and B [out, r], and changes nothing yet", async () => {
  const layer = (await createLora({ r: RANK }, { fc: { weight } })).get("fc");
  expect([layer.params.A!.shape, layer.params.B!.shape]).toEqual([
    [RANK, INPUTS],
    [OUTPUTS, RANK],
  ]);
  await expectNear(layer.forward(x), await expected(false));
});

it("2. forward is x·Wᵀ + alpha/r·(x·Aᵀ)·Bᵀ", async () => {
  await expectNear((await adapted()).forward(x), await expected());
});

it("3. a batch gives what its rows give", async () => {
  const layer = await adapted();
  const whole = await layer.forward(x).data();
  for (let row = 0; row < 5; row++)
    await expectNear(layer.forward(slice(x, [[row, row + 1]])), whole.slice(row * OUTPUTS, (row + 1) * OUTPUTS), 1e-5);
});

it("4. merged it gives the same within 1e-4, and ΔW is what was added", async () => {
  const layer = await adapted();
  layer.merge();
  await expectNear(layer.forward(x), await expected());
  const [merged, base, delta] = await Promise.all([layer.weight.data(), weight.data(), layer.delta().data()]);
  delta.forEach((d, i) => expect(merged[i]! - base[i]!).toBeCloseTo(d, 4));
});

it("5. unmerging gives the weight back, bit for bit", async () => {
  const layer = await adapted();
  layer.merge();
  layer.unmerge();
  expect(layer.merged).toBe(false);
  expect(await layer.weight.data()).toEqual(await weight.data());
});

it("6. merging twice is an error", async () => {
  const layer = await adapted();
  layer.merge();
  expect(() => layer.merge()).toThrow("already merged");
});

it("7. it is switched off and on, merged or not", async () => {
  const layer = await adapted();
  for (const merge of [false, true]) {
    if (merge) layer.merge();
    layer.disable();
    await expectNear(layer.forward(x), await expected(false));
    layer.enable();
    await expectNear(layer.forward(x), await expected());
  }
});

it("8. 768 of 2816 parameters train", async () => {
  expect((await adapted()).summary).toMatchObject({ trainable: 768, original: 2048, total: 2816 });
});

it("9. that is a share of 27 %", async () => {
  expect((await adapted()).summary.ratio).toBeCloseTo(768 / 2816, 12);
});

it("10. one adapter takes several layers, and more of them later", async () => {
  const group = await createLora({ r: RANK, loraAlpha: ALPHA }, { first: { weight }, second: { weight: random([8, OUTPUTS], 5) } });
  await group.addLayer("third", { weight: random([4, 8], 6) });
  expect(group.forward("third", group.forward("second", group.forward("first", x))).shape).toEqual([5, 4]);
  group.removeLayer("third");
  expect([...group.layers.keys()]).toEqual(["first", "second"]);
});

it("11. all layers are merged and unmerged at once, whichever were already", async () => {
  const group = await createLora({ r: RANK }, { first: { weight }, second: { weight } });
  group.get("second").merge();
  group.mergeAll();
  expect([...group.layers.values()].map(({ merged }) => merged)).toEqual([true, true]);
  group.unmergeAll();
  expect([...group.layers.values()].map(({ merged }) => merged)).toEqual([false, false]);
});

it("12. a summary says what the adapter amounts to", async () => {
  const group = await createLora({ r: RANK, loraAlpha: ALPHA }, { first: { weight }, second: { weight } });
  expect(group.summary).toEqual({
    layers: 2,
    rank: RANK,
    alpha: ALPHA,
    trainable: 1536,
    original: 4096,
    total: 5632,
    ratio: 1536 / 5632,
    adapterBytes: 1536 * 4,
    savedBytes: (4096 - 1536) * 4,
  });
});

it("13. configs that are wrong are refused, and say what is expected", async () => {
  await expect(createLora({ r: 0 }, { fc: { weight } })).rejects.toThrow("r is 0, expected an integer from 1");
  await expect(createLora({ rank: 8 } as never, { fc: { weight } })).rejects.toMatchObject({ hint: '"rank" is called r (in files r)' });
  await expect(createLora({ loraDropout: 1 }, { fc: { weight } })).rejects.toThrow("lora_dropout is 1");
  const warnings: string[] = [];
  await createLora({ r: 33 }, { fc: { weight } }, { onWarning: (message) => warnings.push(message) });
  expect(warnings).toEqual([`fc: r is 33, but a change of a weight of [${OUTPUTS},${INPUTS}] has at most rank 32`]);
});

it("14. inputs and factors of other dimensions are refused by the layer's name", async () => {
  const layer = await adapted();
  expect(() => layer.forward(random([5, 63], 7))).toThrow("fc: the input is [5,63], expected […, 64]: in_features is 64");
  expect(() => layer.set("A", random([RANK, 63], 7))).toThrow("fc: A is [8,63], expected [8,64]");
});

it("15. it saves the memory of a second copy of the layer", async () => {
  const { adapterBytes, savedBytes } = (await adapted()).summary;
  expect([adapterBytes, savedBytes]).toEqual([768 * 4, (2048 - 768) * 4]);
});
