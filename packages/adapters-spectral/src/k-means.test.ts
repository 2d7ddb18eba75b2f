import { readFileSync } from "node:fs";
import { matrix } from "@weft/tensor-core/linalg";
import { describe, expect, it } from "vitest";
import { kMeans } from "./k-means.js";

interface Case {
  readonly n: number;
  readonly d: number;
  readonly k: number;
  readonly points: string;
  readonly labels: readonly number[];
}
const file = new URL("../../../fixtures/linalg/k-means.json", import.meta.url);
const { cases } = JSON.parse(readFileSync(file, "utf8")) as { cases: readonly Case[] };

describe("kMeans finds scikit-learn's groups", () => {
  it.each(cases)("$n points of $d numbers in $k groups", ({ n, d, k, points, labels }) => {
    const bytes = Buffer.from(points, "base64");
    const values = Float64Array.from({ length: n * d }, (_, i) => bytes.readFloatLE(4 * i));
    expect([...kMeans(matrix(n, d, values), k, 10, 123456789)!]).toEqual(labels);
  });
});

it("kMeans gives nothing where a group becomes empty", () => {
  expect(kMeans(matrix(4, 1, [1, 1, 1, 1]), 2, 10, 1)).toBeUndefined();
});
