import { expect, test } from "vitest";
import { reducePoints } from "./reduce-points.js";

const LENGTH = 100_000;
const x = Float64Array.from({ length: LENGTH }, (_, i) => i + 1);

test("a curve of few points stays as it is", () => {
  const [few, y] = [x.subarray(0, 4000), new Float64Array(4000)];
  expect(reducePoints(few, y, 800)).toMatchObject({ x: few, y });
});

test("no peak of many points is lost, and steps stay in order", () => {
  const y = Float64Array.from(x, (step) => Math.sin(step / 1000));
  y[77_777] = 50;
  y[12_345] = -50;
  const points = reducePoints(x, y, 800);
  expect(points.x.length).toBeLessThanOrEqual(1600);
  expect(points.y[points.x.indexOf(77_778)]).toBe(50);
  expect(points.y[points.x.indexOf(12_346)]).toBe(-50);
  expect([...points.x]).toEqual([...points.x].toSorted((a, b) => a - b));
  expect(points.x[0]).toBeLessThan(LENGTH / 400);
  expect(points.x.at(-1)).toBeGreaterThan(LENGTH * 0.99);
});

test("what is no number is told, and hides nothing beside it", () => {
  const y = new Float64Array(LENGTH).fill(2);
  y[500] = NaN;
  const points = reducePoints(x, y, 800);
  expect(points.missing).toEqual([501]);
  expect(points.y.every((value) => value === 2)).toBe(true);
});
