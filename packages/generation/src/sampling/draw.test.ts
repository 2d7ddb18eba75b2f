import { expect, it } from "vitest";
import { draw } from "./draw.js";

/** Two words as the number that they are drawn as. */
const number = (x: number, y: number): number => ((x >>> 5) * 2 ** 26 + (y >>> 6)) / 2 ** 53;

// Known answers of Random123 (kat_vectors, threefry2x32 with 20 rounds); the second word of a key that is a seed has 21 bits.
it("draws the numbers of Threefry-2x32", () => {
  expect(draw({ seed: 0, sequence: 0, position: 0 })).toBe(number(0x6b200159, 0x99ba4efe));
});

it("depends on seed, sequence and position, whole", () => {
  const places = [0, 1, 2 ** 31, 2 ** 32 - 1].flatMap((a) =>
    [0, 1, 2 ** 31, 2 ** 32 - 1].flatMap((b) => [0, 1, 2 ** 32, 2 ** 53 - 1].map((seed) => ({ seed, sequence: a, position: b }))),
  );
  expect(new Set(places.map(draw)).size).toBe(places.length);
});

it("is uniform", () => {
  const counts = new Uint32Array(16);
  for (let position = 0; position < 16_000; position++) counts[Math.floor(draw({ seed: 3, sequence: 5, position }) * 16)]!++;
  // χ² with 15 degrees of freedom: 37.7 is passed once in a thousand.
  expect(counts.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0)).toBeLessThan(37.7);
});
