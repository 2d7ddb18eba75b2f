import { Executor } from "@weft/agent";
import { afterAll, expect, it } from "vitest";
import { selfTrain } from "./self-train.js";

const executor = new Executor({ program: new URL("../../packages/agent/dist/worker/worker.js", import.meta.url) });
afterAll(() => executor.dispose());

/** Enough to learn how a call is written; which one is right takes five times as long, and is in the README. */
const EXTENT = { taught: 60, measured: 4, steps: 70 };

it("a tiny model that calls nothing learns to write valid calls of traces that were verified", async () => {
  const { taught, verified, rows, before, constrained, after } = await selfTrain(executor, EXTENT);
  expect(taught).toBe(60);
  expect(verified).toBeGreaterThan(50);
  expect(verified).toBeLessThanOrEqual(taught);
  expect(rows).toBe(verified);
  expect(before).toEqual({ validCalls: 0, accuracy: 0 });
  expect(constrained.validCalls).toBe(1);
  expect(after.validCalls).toBeGreaterThanOrEqual(0.75);
});
