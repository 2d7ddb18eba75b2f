import { type Operand, sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import type { Dispatch, Kernel, LowerContext } from "../kernel.js";

/** Updates that are compared with one another; more come together by a table. */
const BLOCK = 256;

/**
 * The primitive `scatterAdd` without atomic sums, so that every run gives the same bits. First the updates with one index become a chain in
 * their order; then the first of each chain adds up all of it. Indices outside the axis are left out.
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

  // Per update: the number of the next one with its index plus 1, 0 at the end; and whether it is the first.
  const next = context.temporary([picks], "i32");
  const start = context.temporary([picks], "i32");
  const chains = chain(index, picks, n, next, start, context);

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
  return [first, ...chains, add.dispatch(body, Math.ceil(total / add.workgroup))];
};

/**
 * Chains of equal indices in time linear in their number: within blocks by comparison, then block after block by a table of the last update of
 * each index so far. One workgroup walks along the blocks, which barriers keep in order.
 */
function chain(index: Operand, picks: number, n: number, next: Operand, start: Operand, context: LowerContext): Dispatch[] {
  const width = Math.min(BLOCK, context.limits.maxInvocations);
  const blocks = Math.ceil(picks / width);

  const link = new Shader("scatterAdd chain", context, width);
  const [follows, heads] = [link.output(next), link.output(start)];
  const [count, size] = [link.u32(picks), link.u32(n)];
  link.declare(`var<workgroup> ids: array<u32, ${width}>;`);
  const linked = `if (group >= ${link.u32(blocks)}) { return; }
let begin = group * ${width}u;
let length = min(${width}u, ${count} - begin);
if (lid < length) { ids[lid] = u32(${link.input(index).load(`${link.u32(index.offset)} + tid`)}); }
workgroupBarrier();
if (lid < length) {
let mine = ids[lid];
var head = select(0, 1, mine < ${size});
for (var q = 0u; q < lid; q++) { if (ids[q] == mine) { head = 0; break; } }
var follow = 0;
for (var q = lid + 1u; q < length; q++) { if (ids[q] == mine) { follow = i32(begin + q) + 1; break; } }
${follows.store(`${link.u32(next.offset)} + tid`, "follow")}
${heads.store(`${link.u32(start.offset)} + tid`, "head")}
}`;
  const first = link.dispatch(linked, blocks);
  if (blocks === 1) return [first];

  const last = context.temporary([n], "i32");
  const clear = new Shader("scatterAdd table", context);
  const cleared = mapBody(clear, [last], n, () => ({ text: "", values: ["0"] }));

  const join = new Shader("scatterAdd join", context, width);
  const ids = join.input(index);
  const [nexts, starts, lasts] = [join.output(next), join.output(start), join.output(last)];
  const [total, rows] = [join.u32(picks), join.u32(n)];
  const [toNext, toStart, toLast] = [next, start, last].map((o) => join.u32(o.offset)) as [string, string, string];
  const joined = `if (group > 0u) { return; }
for (var b = 0u; b < ${join.u32(blocks)}; b++) {
let pick = b * ${width}u + lid;
let here = pick < ${total};
var mine = 0u;
if (here) { mine = u32(${ids.load(`${join.u32(index.offset)} + pick`)}); }
if (here && ${starts.load(`${toStart} + pick`)} == 1) {
let before = ${lasts.load(`${toLast} + mine`)};
if (before > 0) {
${nexts.store(`${toNext} + u32(before - 1)`, "i32(pick) + 1")}
${starts.store(`${toStart} + pick`, "0")}
}
}
storageBarrier();
if (here && mine < ${rows} && ${nexts.load(`${toNext} + pick`)} == 0) { ${lasts.store(`${toLast} + mine`, "i32(pick) + 1")} }
storageBarrier();
}`;
  return [first, clear.dispatch(cleared.body, cleared.groups), join.dispatch(joined, 1)];
}
