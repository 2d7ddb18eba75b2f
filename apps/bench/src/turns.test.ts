import { expect, test } from "vitest";
import { takeTurns, timeCalls } from "./turns.js";

test("contestants take turns, each round begins with another one, the warm-up does not count", async () => {
  const log: string[] = [];
  const contestant = (name: string, times: number[]) => ({
    name,
    turn: async (): Promise<number> => {
      log.push(name);
      return times.shift()!;
    },
  });
  const times = await takeTurns([contestant("a", [9, 2, 1, 3]), contestant("b", [9, 5, 5, 4])], { rounds: 3, seconds: 0 });
  expect(log.join("")).toBe("ab" + "ab" + "ba" + "ab");
  expect(times.get("a")).toEqual({ best: 1, median: 2, spread: 2, rounds: 3 });
  expect(times.get("b")).toEqual({ best: 4, median: 5, spread: 0.25, rounds: 3 });
});

test("two contestants of one name are refused", async () => {
  const turn = async (): Promise<number> => 1;
  await expect(
    takeTurns(
      [
        { name: "a", turn },
        { name: "a", turn },
      ],
      { rounds: 1, seconds: 0 },
    ),
  ).rejects.toThrow("one name");
});

test("time per call is the time divided by the calls", async () => {
  let calls = 0;
  const start = performance.now();
  const each = await timeCalls(() => void calls++, 0.02);
  const elapsed = (performance.now() - start) / 1000;
  expect(calls).toBeGreaterThan(1000);
  expect(each * calls).toBeGreaterThanOrEqual(0.02);
  expect(each * calls).toBeLessThanOrEqual(elapsed);
});

test("asynchronous calls are waited for", async () => {
  const each = await timeCalls(() => new Promise((resolve) => setTimeout(resolve, 5)), 0.02);
  expect(each).toBeGreaterThan(0.004);
});
