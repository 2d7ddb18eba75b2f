import { sizeOf } from "@weft/tensor-core";
import { DEFAULT_TUNING } from "../../tuning/tuning.js";
import { Shader } from "../../wgsl/shader.js";
import type { Dispatch, LowerContext } from "../kernel.js";
import { declareSources, rowStart } from "./gemm.wgsl.js";
import type { Product } from "./source.js";

/** Rows of A that one thread keeps sums for. */
export const MAX_ROWS = 4;

/**
 * A product with few rows: it takes as long as reading B does, so all threads read neighbouring elements of B, whichever way
 * it lies, each uses what it reads for all rows of A, and the sums over k are joined in workgroup memory.
 */
export function gemv(p: Product, context: LowerContext): Dispatch {
  const { m, n } = p;
  const shader = new Shader(
    `${p.name} vector`,
    context,
    Math.min((context.limits.tuning ?? DEFAULT_TUNING).gemv.threads, context.limits.maxInvocations),
  );
  const { text, loaders } = declareSources(shader, p);
  const along = p.terms[0]!.b.along;
  // Threads along k and columns per workgroup; neighbours in memory are neighbouring threads.
  const depth = along === "k" ? shader.workgroup / 4 : 8;
  const columns = shader.workgroup / depth;
  const blocks = Math.ceil(n / columns);
  const groups = blocks * sizeOf(p.batch);
  const type = m === 1 ? "f32" : `vec${m}<f32>`;
  const out = shader.output(p.output);
  const [rows, cols, pitch, offset] = [m, n, p.pitch ?? (p.swapped ? m : n), p.output.offset].map((v) => shader.u32(v)) as [
    string,
    string,
    string,
    string,
  ];
  const finish = p.epilogue?.(shader);
  shader.declare(`var<workgroup> sums: array<${type}, ${shader.workgroup}>;`);
  const lines = [
    `if (group >= ${shader.u32(groups)}) { return; }`,
    `let batch = group / ${shader.u32(blocks)};`,
    `let lk = ${along === "k" ? `lid % ${depth}u` : `lid / ${columns}u`};`,
    `let ln = ${along === "k" ? `lid / ${depth}u` : `lid % ${columns}u`};`,
    `let col = (group % ${shader.u32(blocks)}) * ${columns}u + ln;`,
    text,
    `var acc = ${type}();`,
    ...loaders.map(({ a, b, k }) => {
      const row = [...Array(m).keys()].map((r) => `${a}(base_${a}, ${r}u, k, ${k})`).join(", ");
      return `for (var k = lk; k < ${k}; k += ${depth}u) { acc += ${type}(${row}) * ${b}(base_${b}, col, k, ${k}); }`;
    }),
    "sums[lid] = acc;",
    "workgroupBarrier();",
    `for (var s = ${depth / 2}u; s > 0u; s >>= 1u) {`,
    `if (lk < s) { sums[lid] += sums[lid + s * ${along === "k" ? "1u" : `${columns}u`}]; }`,
    "workgroupBarrier();",
    "}",
    `if (lk == 0u && col < ${cols}) {`,
    "let v = sums[lid];",
    ...[...Array(m).keys()].map((r) => {
      const value = m === 1 ? "v" : `v[${r}]`;
      const at = p.swapped
        ? `${rowStart(shader, p, "batch", "col", cols, pitch)} + ${r}u`
        : `${rowStart(shader, p, "batch", `${r}u`, rows, pitch)} + col`;
      return out.store(`${offset} + ${at}`, finish ? finish(value, "batch", `${r}u`, "col") : value);
    }),
    "}",
  ];
  return shader.dispatch(lines.join("\n"), groups);
}
