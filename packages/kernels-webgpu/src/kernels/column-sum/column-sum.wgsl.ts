import { type Operand, type Program, sizeOf } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import { lowerFused } from "../fused/fused.js";
import type { Dispatch, Kernel, LowerContext } from "../kernel.js";

/** Neighbouring columns per workgroup, and threads that share a column. */
const COLUMNS = 32;
const LANES = 8;
/** Values that a thread adds up before it adds their sum to that of all it has seen: errors grow with this and with the number of such blocks. */
const BLOCK = 32;
/** Rows are cut into pieces of this many or more, as long as the GPU lacks workgroups. */
const SHORTEST_CUT = 64;
const ENOUGH_GROUPS = 128;

/** What is summed: a value per output at a row and a column, given as names. */
export type Terms = (shader: Shader, row: string, column: string) => { readonly text: string; readonly values: readonly string[] };

/**
 * Sums over the rows of matrices [rows, n] that are made on the way: threads walk down columns, neighbours along a row, and what several have of
 * a column is joined in workgroup memory; many rows are cut into pieces whose sums a second kernel adds up, in order.
 */
export function columnSums(name: string, rows: number, terms: Terms, outputs: readonly Operand[], context: LowerContext): Dispatch[] {
  const n = sizeOf(outputs[0]!.shape);
  const blocks = Math.ceil(n / COLUMNS);
  const cuts = Math.max(1, Math.min(Math.floor(rows / SHORTEST_CUT), Math.ceil(ENOUGH_GROUPS / blocks)));
  const targets = cuts === 1 ? outputs : outputs.map(() => context.temporary([cuts, n], "f32"));
  const shader = new Shader(name, context, COLUMNS * LANES);
  const [N, M, C, length] = [n, rows, cuts, Math.ceil(rows / cuts)].map((v) => shader.u32(v)) as [string, string, string, string];
  const names = outputs.map((_, i) => `sum${i}`);
  const each = (line: (name: string, i: number) => string): string => names.map(line).join("\n");
  shader.declare(each((s) => `var<workgroup> all_${s}: array<f32, ${COLUMNS * LANES}>;`));
  const { text, values } = terms(shader, "m", "col");
  const body = `let cut = group % ${C};
let col = (group / ${C}) * ${COLUMNS}u + lid % ${COLUMNS}u;
${each((s) => `var ${s} = 0.0;`)}
if (col < ${N}) {
let end = min(${M}, (cut + 1u) * ${length});
for (var b = cut * ${length} + lid / ${COLUMNS}u; b < end; b += ${LANES * BLOCK}u) {
${each((s) => `var block_${s} = 0.0;`)}
for (var m = b; m < min(end, b + ${LANES * BLOCK}u); m += ${LANES}u) {
${text}
${each((s, i) => `block_${s} += ${values[i]!};`)}
}
${each((s) => `${s} += block_${s};`)}
}
}
${each((s) => `all_${s}[lid] = ${s};`)}
workgroupBarrier();
if (lid >= ${COLUMNS}u || col >= ${N}) { return; }
for (var l = 1u; l < ${LANES}u; l++) {
${each((s) => `${s} += all_${s}[lid + l * ${COLUMNS}u];`)}
}
${targets.map((o, i) => shader.output(o).store(`${shader.u32(o.offset)} + cut * ${N} + col`, names[i]!)).join("\n")}`;
  const first = shader.dispatch(body, blocks * cuts);
  return cuts === 1 ? [first] : [first, ...sumsOfRows(targets, outputs, context)];
}

/** Sums of matrices of one shape by a fused program that reduces along the columns: for columns that are few, or short. */
function sumsOfRows(inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Dispatch[] {
  const [rows, n] = inputs[0]!.shape as [number, number];
  const program: Program = {
    shape: [n, rows],
    reduced: 1,
    instructions: inputs.flatMap(({ dtype }, input) => [
      { op: "load", dtype, input },
      { op: "reduce", dtype: "f32", how: "sum", a: 2 * input },
    ]),
    outputs: inputs.map((_, i) => ({ value: 2 * i + 1, perRow: true })),
  };
  const views = inputs.map((x): Operand => ({ ...x, shape: [n, rows], strides: [1, n] }));
  return lowerFused(program, views, outputs, context);
}

/** The primitive `reduce` as a step of its own: the sum of a float matrix over its rows. */
export const columnSum: Kernel = ({ inputs: [x], outputs }, context) => {
  const [rows, n] = x!.shape as [number, number];
  if (n < COLUMNS || rows < LANES) return sumsOfRows([x!], outputs, context);
  const terms: Terms = (shader, row, column) => ({
    text: "",
    values: [shader.input(x!).load(`${shader.u32(x!.offset)} + ${row} * ${shader.u32(n)} + ${column}`)],
  });
  return columnSums("sum of rows", rows, terms, outputs, context);
};
