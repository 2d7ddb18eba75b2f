import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NumpyGenerator } from "./numpy.js";

interface Case {
  readonly op: "bits" | "shuffle" | "choice";
  readonly seed: number;
  readonly args: readonly [number, number?];
  readonly values: readonly number[];
}
const { cases } = JSON.parse(readFileSync(new URL("./fixtures/numpy.json", import.meta.url), "utf8")) as { cases: Case[] };

const draw = ({ op, seed, args: [count, size] }: Case): number[] => {
  const generator = new NumpyGenerator(seed);
  if (op === "bits") return Array.from({ length: count }, () => generator.nextUint32());
  if (op === "choice") return [...generator.choice(count, size!)];
  const values = Int32Array.from({ length: count }, (_, i) => i);
  generator.shuffle(values);
  return [...values];
};

test.each(cases)("$op of $args with seed $seed is NumPy's", (one) => {
  expect(draw(one).slice(-one.values.length)).toEqual(one.values);
});
