import { expect, test } from "vitest";
import { dequantize } from "./composites/dequantize.js";
import type { Format, MatrixShape } from "./formats/format.js";
import type { Tensor } from "./graph.js";
import { add, bitAnd, cast, concat, gather, iota, linear, lookup, mod, mul, rows, shiftRight, sub, tensor, where, zeros } from "./index.js";
import { withIndexChecks } from "./index-checks.js";
import { functionOf } from "./primitives/elementwise.js";
import { BINARY, PRIMITIVES } from "./primitives/index.js";
import { sizeOf } from "./shape.js";
import { AWQ, GPTQ, NF4_NESTED } from "./testing/own-format/known-formats.js";

const packed = (format: Format, shape: MatrixShape): Tensor => {
  const parts = Object.entries(format.parts(shape)).map(([name, spec]) => [
    name,
    tensor(new Float32Array(sizeOf(spec.shape)), { shape: spec.shape, dtype: spec.dtype }),
  ]);
  return dequantize({ format, shape, parts: Object.fromEntries(parts) });
};
const checked = (...outputs: Tensor[]): readonly string[] => withIndexChecks(outputs).checks.map(({ operation }) => operation);
const table = (n: number): Tensor => zeros([n]);
const bytes = tensor(new Float32Array(8), { dtype: "u8" });
const numbers = tensor(new Float32Array(8), { dtype: "i32" });

test("codes that no byte can take out of their table are not looked at, in whatever a packed weight is read by", () => {
  for (const format of [NF4_NESTED, AWQ]) {
    const weight = packed(format, [128, 128]);
    expect(checked(weight, linear(zeros([2, 128]), weight), rows(weight, 3, 9)), format.name).toEqual([]);
  }
  expect(checked(gather(packed(NF4_NESTED, [128, 128]), numbers)), "rows that data name").toEqual(["gather"]);
  expect(new Set(checked(packed(GPTQ, [8, 128]))), "groups that the file names").toEqual(new Set(["lookup"]));
});

test("what the graph alone keeps within a table needs no check, and one element less of it does", () => {
  const within: readonly (readonly [index: Tensor, entries: number])[] = [
    [bytes, 256],
    [cast(bytes, "i32"), 256],
    [bitAnd(numbers, 15), 16],
    [shiftRight(bytes, 4), 16],
    [mod(numbers, 5), 5],
    [add(mul(iota([4], 0), 3), 2), 12],
    [sub(9, iota([4], 0)), 10],
    [where(zeros([8], "bool"), bitAnd(numbers, 7), bitAnd(numbers, 3)), 8],
    [concat([bitAnd(numbers, 3), bitAnd(numbers, 1)]), 4],
    [lookup(iota([7], 0), bitAnd(numbers, 3)), 7],
  ];
  for (const [index, entries] of within) {
    expect(checked(lookup(table(entries), index)), `${index.node.op} in ${entries}`).toEqual([]);
    expect(checked(lookup(table(entries - 1), index)), `${index.node.op} in ${entries - 1}`).toEqual(["lookup"]);
  }
});

test("what may wrap, and what is negative, is looked at", () => {
  for (const index of [add(cast(bytes, "i8"), 0), mul(bytes, bytes), mul(numbers, 2), sub(bitAnd(numbers, 3), 1), cast(zeros([2]), "i32")])
    expect(checked(lookup(table(100), index)), index.node.op).toEqual(["lookup"]);
});

test("every result lies within the bounds that its primitive gives it", () => {
  const ruled = Object.keys(BINARY).filter((name) => PRIMITIVES[name]!.bounds);
  expect(ruled.length).toBeGreaterThan(5);
  const span = 4;
  for (const name of ruled) {
    const f = functionOf(BINARY[name as keyof typeof BINARY], "i32");
    for (let a = -span; a <= span; a++)
      for (let b = -span; b <= span; b++)
        for (let c = a; c <= span; c++)
          for (let d = b; d <= span; d++) {
            const bounds = PRIMITIVES[name]!.bounds!(
              [
                { least: a, most: c },
                { least: b, most: d },
              ],
              {},
            );
            if (!bounds) continue;
            const values = [];
            for (let x = a; x <= c; x++) for (let y = b; y <= d; y++) values.push(f(x, y));
            expect(bounds.least, `${name} of ${a} … ${c} and ${b} … ${d}`).toBeLessThanOrEqual(Math.min(...values));
            expect(bounds.most, `${name} of ${a} … ${c} and ${b} … ${d}`).toBeGreaterThanOrEqual(Math.max(...values));
          }
  }
});
