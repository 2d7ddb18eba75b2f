import { describe, expect, it } from "vitest";
import { ConfigError, ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { arange, rows, tensor } from "../ops/index.js";
import { planGraph } from "../plan/plan-graph.js";
import { sizeOf } from "../shape.js";
import { blockRotate, butterfly } from "./block-rotation.js";

const make = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * 1.3 + seed)),
    { shape },
  );

describe("blockRotate", () => {
  it.each([
    [3, 4, 3],
    [1, 5, 1],
    [4, 2, 1],
  ])("multiplies each of %i blocks of %i columns by its own matrix (%i given)", async (n, b, given) => {
    const [x, r] = [make([2, 3, n * b], 1), make([given, b, b], 2)];
    const y = blockRotate(x, r);
    expect(y.shape).toEqual(x.shape);
    const [xv, rv, yv] = [await x.data(), await r.data(), await y.data()];
    for (let row = 0; row < 6; row++) {
      for (let k = 0; k < n; k++) {
        for (let j = 0; j < b; j++) {
          let sum = 0;
          for (let i = 0; i < b; i++) sum += xv[row * n * b + k * b + i]! * rv[((given === 1 ? 0 : k) * b + i) * b + j]!;
          expect(yv[row * n * b + k * b + j]).toBeCloseTo(sum, 5);
        }
      }
    }
  });
  it("computes of a slice of rows only those rows", async () => {
    const [x, r] = [make([50, 12], 1), make([3, 4, 4], 2)];
    const part = rows(blockRotate(x, r), 7, 12);
    expect(await part.data()).toEqual((await blockRotate(x, r).data()).slice(7 * 12, 12 * 12));
    expect(planGraph([part], [], () => false).plan.scratchBytes).toBeLessThanOrEqual(2 * 5 * 12 * 4 + 128);
  });
  it("names the shapes that it refuses", () => {
    expect(() => blockRotate(make([2, 9], 1), make([2, 4, 4], 1))).toThrow(ShapeError);
    expect(() => blockRotate(make([2, 9], 1), make([1, 4, 4], 1))).toThrow(/\[2,9\] and \[1,4,4\]/);
  });
});

describe("butterfly", () => {
  /** The loops of PEFT's block_butterfly_perm, where `idx[row]` is the column of the 1 in that row of P. */
  function indices(n: number, blockSize: number, stage: number): number[] {
    const chunk = blockSize * 2 ** stage;
    const half = blockSize / 2;
    const idx: number[] = [];
    for (let start = 0; start < n; start += chunk) {
      for (const parity of [0, 1])
        for (let piece = parity; piece < chunk / half; piece += 2) for (let e = 0; e < half; e++) idx.push(start + piece * half + e);
    }
    return idx;
  }
  it.each([
    [16, 4, 0],
    [16, 4, 1],
    [16, 4, 2],
    [24, 2, 1],
  ])("puts the even pieces of each chunk first: %i elements, blocks of %i, stage %i", async (n, blockSize, stage) => {
    const idx = indices(n, blockSize, stage);
    expect([...(await butterfly(arange(n), { blockSize, stage }).data())]).toEqual(idx);
    const undone = butterfly(butterfly(make([3, n], 1), { blockSize, stage }), { blockSize, stage, inverse: true });
    expect([...(await undone.data())]).toEqual([...(await make([3, n], 1).data())]);
  });
  it("refuses odd blocks and axes that are not made of chunks", () => {
    expect(() => butterfly(arange(12), { blockSize: 3, stage: 0 })).toThrow(ConfigError);
    expect(() => butterfly(arange(12), { blockSize: 4, stage: 1 })).toThrow(/12 elements .* 4·2\^1/);
  });
});
