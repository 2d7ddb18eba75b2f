import { isFloat, type Operand } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel } from "../kernel.js";

/** Rows per workgroup: each value of A that a thread reads serves as many. */
const ROWS = 8;
const THREADS = 128;
/** Largest rank whose part of B, ROWS numbers per rank, lies in workgroup memory beside the sums. */
const MAX_RANK = 256;

/**
 * `weightNorm`: norms of rows of W + s·B·A. A workgroup walks over the columns of its rows with their part of B in workgroup memory: W is
 * read once, A once per workgroup, and nothing of the size of W is written.
 */
export const weightNorm: CompositeKernel = {
  claims: ({ inputs }) => inputs.every((i) => isFloat(i.dtype)) && inputs[1]!.shape[0]! <= MAX_RANK,
  lower({ inputs, outputs, attrs }, context) {
    const [w, a, b] = inputs as [Operand, Operand, Operand];
    const [rows, columns, r] = [w.shape[0]!, w.shape[1]!, a.shape[0]!];
    const shader = new Shader("weightNorm", context, Math.min(THREADS, context.limits.maxInvocations));
    const [weight, down, up, out] = [shader.input(w), shader.input(a), shader.input(b), shader.output(outputs[0]!)];
    const [m, n, rank, scale] = [shader.u32(rows), shader.u32(columns), shader.u32(r), shader.f32(attrs.scale as number)];
    const [fromW, fromA, fromB, to] = [w, a, b, outputs[0]!].map((o) => shader.u32(o.offset)) as [string, string, string, string];
    const halves = ["low", "high"] as const;
    const four = (element: (row: string) => string, first: number): string =>
      `vec4<f32>(${[0, 1, 2, 3].map((i) => element(`min(row0 + ${first + i}u, ${m} - 1u)`)).join(", ")})`;
    shader.declare(
      halves
        .flatMap((h) => [
          `var<workgroup> factor_${h}: array<vec4<f32>, ${MAX_RANK}>;`,
          `var<workgroup> sums_${h}: array<vec4<f32>, ${shader.workgroup}>;`,
        ])
        .join("\n"),
    );
    const body = [
      `let row0 = group * ${ROWS}u;`,
      `if (row0 >= ${m}) { return; }`,
      `for (var q = lid; q < ${rank}; q += ${shader.workgroup}u) {`,
      ...halves.map((h, k) => `factor_${h}[q] = ${scale} * ${four((row) => up.load(`${fromB} + ${row} * ${rank} + q`), 4 * k)};`),
      "}",
      "workgroupBarrier();",
      ...halves.map((h) => `var sum_${h} = vec4<f32>();`),
      `for (var j = lid; j < ${n}; j += ${shader.workgroup}u) {`,
      ...halves.map((h) => `var delta_${h} = vec4<f32>();`),
      `for (var q = 0u; q < ${rank}; q++) {`,
      `let x = ${down.load(`${fromA} + q * ${n} + j`)};`,
      ...halves.map((h) => `delta_${h} += factor_${h}[q] * x;`),
      "}",
      ...halves.flatMap((h, k) => [
        `let v_${h} = ${four((row) => weight.load(`${fromW} + ${row} * ${n} + j`), 4 * k)} + delta_${h};`,
        `sum_${h} += v_${h} * v_${h};`,
      ]),
      "}",
      ...halves.map((h) => `sums_${h}[lid] = sum_${h};`),
      "workgroupBarrier();",
      `for (var s = ${shader.workgroup / 2}u; s > 0u; s >>= 1u) {`,
      `if (lid < s) { ${halves.map((h) => `sums_${h}[lid] += sums_${h}[lid + s];`).join(" ")} }`,
      "workgroupBarrier();",
      "}",
      `if (lid < ${ROWS}u && row0 + lid < ${m}) {`,
      "var square = sums_low[0][lid % 4u];",
      "if (lid >= 4u) { square = sums_high[0][lid % 4u]; }",
      out.store(`${to} + row0 + lid`, "sqrt(square)"),
      "}",
    ].join("\n");
    return [shader.dispatch(body, Math.ceil(rows / ROWS))];
  },
};
