import { sizeOf } from "@weft/tensor-core";
import { DEFAULT_TUNING } from "../../tuning/tuning.js";
import { Shader } from "../../wgsl/shader.js";
import type { Dispatch, LowerContext } from "../kernel.js";
import { declareSources, rowStart } from "./gemm.wgsl.js";
import type { Product } from "./source.js";

/** Rows of A that one thread keeps sums for. */
export const MAX_ROWS = 4;

/** The sum of column `c` of a thread. */
const sumName = (c: number): string => (c > 0 ? `acc${c}` : "acc");

/**
 * A product with few rows: it takes as long as reading B does, so all threads read neighbouring words of B, whichever way
 * it lies, each uses what it reads for all rows of A, and the sums over k are joined in workgroup memory.
 */
export function gemv(p: Product, context: LowerContext): Dispatch {
  const { m, n } = p;
  const shader = new Shader(
    `${p.name} vector`,
    context,
    Math.min((context.limits.tuning ?? DEFAULT_TUNING).gemv.threads, context.limits.maxInvocations),
  );
  const { text, loaders } = declareSources(shader, p, true);
  const { along, word } = p.terms[0]!.b;
  // Threads along k and of columns per workgroup; neighbours in memory are neighbouring threads. Where a word of B holds several columns a thread has them all.
  const depth = along === "k" ? shader.workgroup / 4 : 8;
  const each = along === "r" && word ? word.lanes : 1;
  const columns = (shader.workgroup / depth) * each;
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
  const range = (count: number): number[] => [...Array(count).keys()];
  const loops = loaders.map(({ a, b, k }, t) => {
    const row = (at: string): string =>
      `${type}(${range(m)
        .map((r) => `${a}(base_${a}, ${r}u, ${at}, ${k})`)
        .join(", ")})`;
    const from = p.terms[t]!.b;
    if (each > 1) {
      // All terms have the columns that words of the first one hold.
      const whole = from.along === "r" && from.word?.lanes === each;
      const elements = whole
        ? `${b}_word(base_${b}, col, k, ${k})`
        : `vec${each}<f32>(${range(each)
            .map((c) => `${b}(base_${b}, col + ${c}u, k, ${k})`)
            .join(", ")})`;
      const adds = range(each).map((c) => `${sumName(c)} += a * b[${c}];`);
      return `for (var k = lk; k < ${k}; k += ${depth}u) { let a = ${row("k")}; let b = ${elements}; ${adds.join(" ")} }`;
    }
    if (from.along === "k" && from.word) {
      const { lanes } = from.word;
      const adds = range(lanes).map((i) => `acc += ${row(`k + ${i}u`)} * b[${i}];`);
      return `for (var k = lk * ${lanes}u; k < ${k}; k += ${depth * lanes}u) { let b = ${b}_word(base_${b}, col, k, ${k}); ${adds.join(" ")} }`;
    }
    return `for (var k = lk; k < ${k}; k += ${depth}u) { acc += ${row("k")} * ${b}(base_${b}, col, k, ${k}); }`;
  });
  const lines = [
    `if (group >= ${shader.u32(groups)}) { return; }`,
    `let batch = group / ${shader.u32(blocks)};`,
    `let lk = ${along === "k" ? `lid % ${depth}u` : `lid / ${columns / each}u`};`,
    `let ln = ${along === "k" ? `lid / ${depth}u` : `lid % ${columns / each}u`};`,
    `let col = (group % ${shader.u32(blocks)}) * ${columns}u + ln${each > 1 ? ` * ${each}u` : ""};`,
    text,
    ...range(each).map((c) => `var ${sumName(c)} = ${type}();`),
    ...loops,
    ...range(each).flatMap((c) => [
      // The sums of the columns before are read by now.
      ...(c > 0 ? ["workgroupBarrier();"] : []),
      `sums[lid] = ${sumName(c)};`,
      "workgroupBarrier();",
      `for (var s = ${depth / 2}u; s > 0u; s >>= 1u) {`,
      `if (lk < s) { sums[lid] += sums[lid + s * ${along === "k" ? "1u" : `${columns / each}u`}]; }`,
      "workgroupBarrier();",
      "}",
      ...store(c),
    ]),
  ];
  return shader.dispatch(lines.join("\n"), groups);

  function store(c: number): string[] {
    const column = c > 0 ? `(col + ${c}u)` : "col";
    return [
      `if (lk == 0u && ${column} < ${cols}) {`,
      "let v = sums[lid];",
      ...range(m).map((r) => {
        const value = m === 1 ? "v" : `v[${r}]`;
        const at = p.swapped
          ? `${rowStart(shader, p, "batch", column, cols, pitch)} + ${r}u`
          : `${rowStart(shader, p, "batch", `${r}u`, rows, pitch)} + ${column}`;
        return out.store(`${offset} + ${at}`, finish ? finish(value, "batch", `${r}u`, column) : value);
      }),
      "}",
    ];
  }
}
