import { type CompositeCall, isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel, KernelLimits } from "../kernel.js";

/** Columns of X·bᵀ per workgroup, and threads that share the sum of one of them. */
const COLUMNS = 16;
const LANES = 16;
const THREADS = COLUMNS * LANES;
/** Rows of X that a thread keeps sums for while it reads b. */
const ROWS = 8;
/** Rows of x from which on tiles of a product read b less often than once per row of x. */
const FEW = 8;
/** Largest q: X·bᵀ of a workgroup's columns lies in workgroup memory, beside the sums. */
const MAX_Q = 120;

/** Tokens of decoding, where two dispatches cost more than the work in them. Sums stay in f32, so it rounds no more often than the decomposition. */
function claims({ inputs }: CompositeCall, { maxInvocations }: KernelLimits): boolean {
  const [x, a] = inputs;
  const rows = sizeOf(x!.shape.slice(0, -1));
  return inputs.every((i) => isFloat(i.dtype)) && rows <= FEW && a!.shape[1]! <= MAX_Q && maxInvocations >= THREADS;
}

/**
 * `kronLinear` for few rows: one dispatch. A workgroup makes some columns of Z = X·bᵀ [q, r] in workgroup memory, threads next to one another
 * reading along rows of b, and then the same columns of Y = a·Z.
 */
export const kronLinear: CompositeKernel = {
  claims,
  lower({ inputs, outputs }, context) {
    const [x, a, b] = inputs as [Operand, Operand, Operand];
    const [[p, q], [r, s]] = [a.shape, b.shape] as [readonly [number, number], readonly [number, number]];
    const rows = sizeOf(x.shape) / (q * s);
    const shader = new Shader("kronLinear", context, THREADS);
    const [X, A, B, y] = [shader.input(x), shader.input(a), shader.input(b), shader.output(outputs[0]!)];
    const [P, Q, R, S] = [p, q, r, s].map((v) => shader.u32(v)) as [string, string, string, string];
    const [fromX, fromA, fromB, to] = [x, a, b, outputs[0]!].map((o) => shader.u32(o.offset)) as [string, string, string, string];
    const tiles = Math.ceil(r / COLUMNS);
    shader.declare(`var<workgroup> sums: array<f32, ${THREADS * ROWS}>;\nvar<workgroup> z: array<f32, ${MAX_Q * COLUMNS}>;`);
    const eight = [...Array(ROWS).keys()];
    const body = [
      `if (group >= ${shader.u32(rows * tiles)}) { return; }`,
      `let row = group / ${shader.u32(tiles)};`,
      `let col0 = (group % ${shader.u32(tiles)}) * ${COLUMNS}u;`,
      `let lane = lid % ${LANES}u;`,
      `let column = lid / ${LANES}u;`,
      `let at_b = ${fromB} + min(col0 + column, ${R} - 1u) * ${S};`,
      `for (var q0 = 0u; q0 < ${Q}; q0 += ${ROWS}u) {`,
      ...eight.map((i) => `var acc${i} = 0.0;\nlet at${i} = ${fromX} + (row * ${Q} + min(q0 + ${i}u, ${Q} - 1u)) * ${S};`),
      `for (var k = lane; k < ${S}; k += ${LANES}u) {`,
      `let v = ${B.load("at_b + k")};`,
      ...eight.map((i) => `acc${i} += v * ${X.load(`at${i} + k`)};`),
      "}",
      ...eight.map((i) => `sums[${i * THREADS}u + lid] = acc${i};`),
      "workgroupBarrier();",
      `for (var e = lid; e < ${ROWS * COLUMNS}u; e += ${THREADS}u) {`,
      "var sum = 0.0;",
      `for (var l = 0u; l < ${LANES}u; l++) { sum += sums[e * ${LANES}u + l]; }`,
      `let i = q0 + e / ${COLUMNS}u;`,
      `if (i < ${Q}) { z[i * ${COLUMNS}u + e % ${COLUMNS}u] = sum; }`,
      "}",
      "workgroupBarrier();",
      "}",
      `for (var e = lid; e < ${P} * ${COLUMNS}u; e += ${THREADS}u) {`,
      `let o = e / ${COLUMNS}u;`,
      `let c = e % ${COLUMNS}u;`,
      "var sum = 0.0;",
      `for (var i = 0u; i < ${Q}; i++) { sum += ${A.load(`${fromA} + o * ${Q} + i`)} * z[i * ${COLUMNS}u + c]; }`,
      `if (col0 + c < ${R}) { ${y.store(`${to} + (row * ${P} + o) * ${R} + col0 + c`, "sum")} }`,
      "}",
    ].join("\n");
    return [shader.dispatch(body, rows * tiles)];
  },
};
