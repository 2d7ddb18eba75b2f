import { isFloat, type Operand, type Program, sizeOf } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";
import { rowReduce } from "../row-reduce/row-reduce.wgsl.js";

/** Neighbouring columns per workgroup, and threads that share a column. */
const COLUMNS = 32;
const LANES = 8;
/** Rows are cut into pieces of this many or more, as long as the GPU lacks workgroups. */
const SHORTEST_CUT = 64;
const ENOUGH_GROUPS = 128;

/**
 * `normWeightGradient`: threads walk down columns of x and dy, neighbours along a row, and what several have of a column is joined in
 * workgroup memory; many rows are cut into pieces whose sums a second kernel adds up, in order. One or two kernels and no product as large
 * as x, where the decomposition takes one as large, a row of ones and a matrix product for each of dw and db.
 */
export const normWeightGradient: CompositeKernel = {
  claims: ({ inputs }) => inputs.every((i) => isFloat(i.dtype)),
  lower({ inputs, outputs }, context) {
    const n = outputs[0]!.shape[0]!;
    const rows = sizeOf(inputs[2]!.shape);
    const blocks = Math.ceil(n / COLUMNS);
    const cuts = Math.max(1, Math.min(Math.floor(rows / SHORTEST_CUT), Math.ceil(ENOUGH_GROUPS / blocks)));
    if (cuts === 1) return [columns(inputs, outputs, n, rows, cuts, context)];
    const partial = outputs.map(() => context.temporary([cuts, n], "f32"));
    return [columns(inputs, partial, n, rows, cuts, context), addCuts(partial, outputs, n, cuts, context)];
  },
};

function columns(
  inputs: readonly Operand[],
  outputs: readonly Operand[],
  n: number,
  rows: number,
  cuts: number,
  context: LowerContext,
): Dispatch {
  const [x, dy, scale, centre] = inputs as [Operand, Operand, Operand, Operand | undefined];
  const shader = new Shader("normWeightGradient", context, COLUMNS * LANES);
  const [N, M, C, length] = [n, rows, cuts, Math.ceil(rows / cuts)].map((v) => shader.u32(v)) as [string, string, string, string];
  const load = (o: Operand, at: string): string => shader.input(o).load(`${shader.u32(o.offset)} + ${at}`);
  const names = outputs.map((_, i) => `sum${i}`);
  shader.declare(names.map((name) => `var<workgroup> all_${name}: array<f32, ${COLUMNS * LANES}>;`).join("\n"));
  const body = `let cut = group % ${C};
let col = (group / ${C}) * ${COLUMNS}u + lid % ${COLUMNS}u;
${names.map((name) => `var ${name} = 0.0;`).join("\n")}
if (col < ${N}) {
for (var m = cut * ${length} + lid / ${COLUMNS}u; m < min(${M}, (cut + 1u) * ${length}); m += ${LANES}u) {
let d = ${load(dy, `m * ${N} + col`)};
sum0 += d * (${load(x, `m * ${N} + col`)}${centre ? ` - ${load(centre, "m")}` : ""}) * ${load(scale, "m")};
${centre ? "sum1 += d;" : ""}
}
}
${names.map((name) => `all_${name}[lid] = ${name};`).join("\n")}
workgroupBarrier();
if (lid >= ${COLUMNS}u || col >= ${N}) { return; }
for (var l = 1u; l < ${LANES}u; l++) { ${names.map((name) => `${name} += all_${name}[lid + l * ${COLUMNS}u];`).join(" ")} }
${outputs.map((o, i) => shader.output(o).store(`${shader.u32(o.offset)} + cut * ${N} + col`, names[i]!)).join("\n")}`;
  return shader.dispatch(body, Math.ceil(n / COLUMNS) * cuts);
}

/** Sums of the pieces [cuts, n] over the pieces. */
function addCuts(partial: readonly Operand[], outputs: readonly Operand[], n: number, cuts: number, context: LowerContext): Dispatch {
  const program: Program = {
    shape: [n, cuts],
    reduced: 1,
    instructions: partial.flatMap((_, i) => [
      { op: "load", dtype: "f32", input: i },
      { op: "reduce", dtype: "f32", how: "sum", a: 2 * i },
    ]),
    outputs: partial.map((_, i) => ({ value: 2 * i + 1, perRow: true })),
  };
  const views = partial.map((o): Operand => ({ ...o, shape: [n, cuts], strides: [1, n] }));
  return rowReduce(program, views, outputs, context);
}
