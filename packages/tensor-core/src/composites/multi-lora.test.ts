import { describe, expect, it } from "vitest";
import { compile } from "../compile.js";
import { referenceDevice } from "../device.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { equal, iota, tensor, where } from "../ops/index.js";
import { sizeOf } from "../shape.js";
import { type LoraBank, loraBank, multiLora } from "./multi-lora.js";

const make = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.3 + seed)),
    { shape },
  );
const indices = (values: readonly number[]): Tensor => tensor(Int32Array.from(values));

interface Adapters {
  readonly As: readonly Tensor[];
  readonly Bs: readonly Tensor[];
  readonly scales: readonly number[];
}
const adapters = (ranks: readonly number[], width: number, out: number): Adapters => ({
  As: ranks.map((r, k) => make([r, width], k)),
  Bs: ranks.map((r, k) => make([out, r], k + 50)),
  scales: ranks.map((_, k) => 0.5 + k),
});
const bankOf = ({ As, Bs, scales }: Adapters): LoraBank => loraBank(As, Bs, scales);

/** One row after the other, in f64. */
async function byHand(x: Tensor, index: readonly number[], { As, Bs, scales }: Adapters): Promise<number[]> {
  const [rows, width, out] = [x.shape[0]!, x.shape.at(-1)!, Bs[0]!.shape[0]!];
  const tokens = x.size / rows / width;
  const xv = await x.data();
  const result: number[] = [];
  for (let i = 0; i < rows * tokens; i++) {
    const k = index[Math.floor(i / tokens)]!;
    const y = Array<number>(out).fill(0);
    if (k >= 0) {
      const [A, B, r] = [await As[k]!.data(), await Bs[k]!.data(), As[k]!.shape[0]!];
      for (let q = 0; q < r; q++) {
        let low = 0;
        for (let c = 0; c < width; c++) low += xv[i * width + c]! * A[q * width + c]!;
        for (let o = 0; o < out; o++) y[o]! += scales[k]! * low * B[o * r + q]!;
      }
    }
    result.push(...y);
  }
  return result;
}

describe("multiLora", () => {
  it.each([
    ["few tokens", [5, 8], [3, 1, 4, 2], [2, -1, 0, 3, 2]],
    ["many tokens", [4, 40, 8], [3, 1, 4, 2], [1, -1, 2, 3]],
    ["many adapters", [3, 1, 8], Array.from({ length: 60 }, (_, k) => 1 + (k % 3)), [59, 0, 31]],
    ["one adapter", [2, 8], [4], [0, -1]],
    ["an adapter without ranks", [3, 40, 8], [2, 3, 0], [2, 0, 1]],
  ] as [string, number[], number[], number[]][])("gives each row its own adapter; %s", async (_, shape, ranks, index) => {
    const x = make(shape, 9);
    const y = multiLora(x, indices(index), bankOf(adapters(ranks, 8, 6)));
    expect(y.shape).toEqual([...shape.slice(0, -1), 6]);
    const wanted = await byHand(x, index, adapters(ranks, 8, 6));
    (await y.data()).forEach((v, i) => expect(Math.abs(v - wanted[i]!)).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted[i]!))));
  });
  it.each([Infinity, NaN])("keeps %d of one adapter out of the rows of others", async (bad) => {
    const clean = adapters([3, 1, 2], 8, 6);
    const spoil = (t: Tensor): Tensor => where(equal(iota(t.shape, 1), 0), bad, t);
    for (const k of [0, 1, 2]) {
      const bank = bankOf({ ...clean, As: clean.As.with(k, spoil(clean.As[k]!)), Bs: clean.Bs.with(k, spoil(clean.Bs[k]!)) });
      const [x, index] = [make([4, 8], 9), [0, 1, 2, -1]];
      const [got, wanted] = [await multiLora(x, indices(index), bank).data(), await byHand(x, index, clean)];
      got.forEach((v, i) => {
        if (index[Math.floor(i / 6)] === k) expect(v).not.toBeCloseTo(wanted[i]!, 4);
        else expect(v).toBeCloseTo(wanted[i]!, 4);
      });
    }
  });
  it("replays one plan for any mixture and any scales", async () => {
    const bank = bankOf(adapters([2, 3], 8, 6));
    const f = compile((x: Tensor, index: Tensor, scales: Tensor) => multiLora(x, index, { ...bank, scales }), {
      device: referenceDevice(),
    });
    const x = make([2, 8], 1);
    for (const [index, scales] of [
      [
        [0, 1],
        [1, 2],
      ],
      [
        [1, -1],
        [5, 6],
      ],
    ] as const) {
      const wanted = await byHand(x, index, { ...adapters([2, 3], 8, 6), scales });
      (await (await f(x, indices(index), tensor(Float32Array.from(scales)))).data()).forEach((v, i) =>
        expect(v).toBeCloseTo(wanted[i]!, 4),
      );
    }
  });
  it("names what does not fit", () => {
    const bank = bankOf(adapters([2, 3], 8, 6));
    expect(() => multiLora(make([3, 8], 1), indices([0, 1]), bank)).toThrow(ShapeError);
    expect(() => multiLora(make([2, 8], 1), indices([0, 1]), { ...bank, scales: tensor([1]) })).toThrow(/one more entry/);
    expect(() => loraBank([make([2, 8], 1)], [make([6, 3], 1)], [1])).toThrow(/adapter 0/);
    expect(() => loraBank([], [], [])).toThrow(ShapeError);
  });
});
