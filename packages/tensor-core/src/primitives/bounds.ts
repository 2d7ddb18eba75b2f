import type { Bounds, BoundsRule } from "./primitive.js";

/** The bounds of what is of one or of another. */
export const hull = (bounds: readonly Bounds[]): Bounds => ({
  least: Math.min(...bounds.map(({ least }) => least)),
  most: Math.max(...bounds.map(({ most }) => most)),
});

/** Bounds of f(a, b) where f goes one way along each of its arguments: from the smallest to the largest of its corners. @param least smallest b for which it does */
export const corners =
  (f: (a: number, b: number) => number, least: number = -Infinity): BoundsRule =>
  ([a, b]) => {
    if (b!.least < least) return undefined;
    const values = [f(a!.least, b!.least), f(a!.least, b!.most), f(a!.most, b!.least), f(a!.most, b!.most)];
    return { least: Math.min(...values), most: Math.max(...values) };
  };
