import { describe, expect, test } from "vitest";
import { summarise } from "./statistics.js";

describe("summarise", () => {
  test("best, median and spread, whatever the order", () => {
    expect(summarise([3, 1, 2])).toEqual({ best: 1, median: 2, spread: 2, rounds: 3 });
    expect(summarise([4, 2])).toEqual({ best: 2, median: 3, spread: 1, rounds: 2 });
    expect(summarise([0.5])).toEqual({ best: 0.5, median: 0.5, spread: 0, rounds: 1 });
  });

  test("does not change what it is given", () => {
    const times = [3, 1, 2];
    summarise(times);
    expect(times).toEqual([3, 1, 2]);
  });

  test.each([[[]], [[0]], [[-1]], [[Number.NaN, 1]], [[Infinity]]])("refuses %j", (times) => {
    expect(() => summarise(times)).toThrow(RangeError);
  });
});
