import { sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import type { Kernel } from "../kernel.js";

/**
 * The primitive `scatterAdd` without atomic sums, so that every run gives the same bits. First each update finds the next one with
 * the same index and whether it is the first; then the first of each chain adds up all of it, in order. Indices outside
 * the axis are left out.
 */
export const scatterAdd: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [base, index, updates] = [inputs[0]!, inputs[1]!, inputs[2]!];
  const y = outputs[0]!;
  const [outer, n, inner] = around(base.shape, attrs.axis as number);
  const picks = sizeOf(index.shape);

  const copy = new Shader("scatterAdd copy", context);
  const whole = mapBody(copy, [y], sizeOf(y.shape), (i) => ({
    text: "",
    values: [copy.input(base).loadBits(`${copy.u32(base.offset)} + ${i}`)],
    bits: true,
  }));
  const first = copy.dispatch(whole.body, whole.groups);
  if (picks === 0) return [first];

  // Per update: -1 if another one comes before it; else, or for one in a chain, the number of the next plus 1, 0 at the end.
  const next = context.temporary([picks], "i32");
  const start = context.temporary([picks], "i32");
  const link = new Shader("scatterAdd chain", context);
  const at = link.input(index);
  const value = (q: string): string => at.load(`${link.u32(index.offset)} + ${q}`);
  const count = link.u32(picks);
  const linked = mapBody(link, [next, start], picks, (i) => ({
    text: `let mine = ${value(i)};
var head = 1;
for (var q = 0u; q < ${i}; q++) { if (${value("q")} == mine) { head = 0; break; } }
var follow = 0;
for (var q = ${i} + 1u; q < ${count}; q++) { if (${value("q")} == mine) { follow = i32(q) + 1; break; } }
if (u32(mine) >= ${link.u32(n)}) { head = 0; }`,
    values: ["follow", "head"],
  }));

  const add = new Shader("scatterAdd", context);
  const [i, b, u, c, h] = [index, base, updates, next, start].map((o) => add.input(o));
  const out = add.output(y);
  const [length, lines, size] = [add.u32(inner), add.u32(picks), add.u32(n)];
  const total = outer * picks * inner;
  const body = `if (tid >= ${add.u32(total)}) { return; }
let k = tid % ${length};
let line = tid / ${length};
let pick = line % ${lines};
let o = line / ${lines};
if (${h!.load("pick")} == 0) { return; }
let target_row = (o * ${size} + u32(${i!.load(`${add.u32(index.offset)} + pick`)})) * ${length} + k;
var sum = ${b!.load(`${add.u32(base.offset)} + target_row`)};
var q = pick;
loop {
sum += ${u!.load(`${add.u32(updates.offset)} + (o * ${lines} + q) * ${length} + k`)};
let follow = ${c!.load("q")};
if (follow == 0) { break; }
q = u32(follow - 1);
}
${out.store(`${add.u32(y.offset)} + target_row`, "sum")}`;
  return [first, link.dispatch(linked.body, linked.groups), add.dispatch(body, Math.ceil(total / add.workgroup))];
};
