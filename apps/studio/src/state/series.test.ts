import { expect, test } from "vitest";
import { Series } from "./series.js";

const step = (number: number, loss: number | null = number / 2) => ({
  step: number,
  loss,
  lr: 1,
  gradNorm: null,
  tokens: 1,
  tokPerS: 2,
  bytes: 3,
});

test("it grows, and steps that were made again take the place of those before", () => {
  const series = new Series();
  series.add(Array.from({ length: 3000 }, (_, i) => step(i + 1)));
  expect([series.length, series.x()[2999], series.y("loss")[2999]]).toEqual([3000, 3000, 1500]);
  series.add([step(2001, 9), step(2002, null)]);
  expect(series.length).toBe(2002);
  expect([...series.y("loss").subarray(1999)]).toEqual([1000, 9, NaN]);
  expect(series.version.value).toBe(2);
});
