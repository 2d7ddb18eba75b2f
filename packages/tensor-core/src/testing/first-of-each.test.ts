import { expect, it } from "vitest";
import type { ConformanceCase } from "./case.js";
import { CASES } from "./cases/index.js";
import { firstOfEach } from "./first-of-each.js";

it("keeps the order, and as many cases of each subject as asked for, or what there are", () => {
  const names = ["matmul: f32", "matmul: f16", "exp", "matmul: bf16", "conv: 1d", "exp: of views"];
  const cases = names.map((name) => ({ name }) as ConformanceCase);
  expect(firstOfEach(cases, 1).map(({ name }) => name)).toEqual(["matmul: f32", "exp", "conv: 1d"]);
  expect(firstOfEach(cases, 2).map(({ name }) => name)).toEqual(["matmul: f32", "matmul: f16", "exp", "conv: 1d", "exp: of views"]);
});
it("leaves no subject of the table out", () => {
  const subjects = (cases: readonly ConformanceCase[]): Set<string> => new Set(cases.map(({ name }) => name.split(":", 1)[0]!));
  expect(subjects(firstOfEach(CASES, 1))).toEqual(subjects(CASES));
});
