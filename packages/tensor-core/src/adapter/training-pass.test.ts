import { describe, expect, it } from "vitest";
import { compile } from "../compile.js";
import { Device } from "../device.js";
import { randomKey } from "../ops/random.js";
import { tensor } from "../ops/create.js";
import { createReferenceBackend } from "../reference/backend.js";
import { drawsOf, dropped } from "./training-pass.js";
import type { Tensor } from "../graph.js";

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

describe("the draws of a training pass", () => {
  it("are the same for the same key, and others for each call and key", async () => {
    const two = async (step: number): Promise<number[][]> => {
      const { mask } = drawsOf(randomKey(step));
      return [await values(mask([64], 0.5)), await values(mask([64], 0.5))];
    };
    const [first, again, next] = [await two(3), await two(3), await two(4)];
    expect(again).toEqual(first);
    expect(first[1]).not.toEqual(first[0]);
    // Consecutive steps have no draw in common.
    for (const one of first) for (const other of next) expect(other).not.toEqual(one);
  });

  it("drop the share that is asked for, and scale up the rest", async () => {
    const { mask } = drawsOf(randomKey(1));
    const found = await values(dropped(tensor(new Float32Array(20_000).fill(1)), 0.2, mask));
    expect([...new Set(found)].sort()).toEqual([0, 1.25]);
    // 4 standard deviations of a binomial share.
    expect(Math.abs(found.filter((v) => v === 0).length / found.length - 0.2)).toBeLessThan(4 * Math.sqrt((0.2 * 0.8) / 20_000));
  });

  it("have noise of mean 0 and variance 1", async () => {
    const found = await values(drawsOf(randomKey(1)).noise([20_000]));
    const mean = found.reduce((a, b) => a + b) / found.length;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(20_000));
    expect(Math.abs(found.reduce((a, b) => a + (b - mean) ** 2, 0) / found.length - 1)).toBeLessThan(4 * Math.sqrt(2 / 20_000));
  });

  it("follow the key that a compiled function is given, without another plan", async () => {
    using device = new Device(createReferenceBackend());
    let traces = 0;
    const f = compile(
      (key: Tensor) => {
        traces++;
        return dropped(tensor(new Float32Array(64).fill(1)), 0.5, drawsOf(key).mask);
      },
      { device },
    );
    const [a, b, again] = [await f(randomKey(1)), await f(randomKey(2)), await f(randomKey(1))] as [Tensor, Tensor, Tensor];
    expect(await values(b)).not.toEqual(await values(a));
    expect(await values(again)).toEqual(await values(a));
    expect(traces).toBe(1);
  });

  it("need a key", () => {
    expect(() => drawsOf(tensor([1, 2]))).toThrow("dropoutKey is f32 [2], expected a key, i32 [2]");
  });
});
