import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import { registerType } from "../../wgsl/storage.js";
import type { CompositeKernel } from "../kernel.js";

const THREADS = 256;
/** The place of nothing: higher than every index. */
const NOWHERE = "0xffffffffu";

/**
 * `topK` in one kernel: a workgroup per row goes over it k times, each time for the best of what comes after the one before. The
 * decomposition takes k programs over the rows and two concatenations.
 */
export const topK: CompositeKernel = {
  claims: () => true,
  lower({ inputs: [x], outputs, attrs }, context) {
    const [values, indices] = outputs as [Operand, Operand];
    const n = x!.shape.at(-1)!;
    const rows = sizeOf(x!.shape.slice(0, -1));
    const shader = new Shader("topK", context, Math.min(THREADS, context.limits.maxInvocations));
    const type = registerType(x!.dtype);
    const from = shader.input(x!);
    const [N, K] = [shader.u32(n), shader.u32(attrs.k as number)];
    const raw = (i: string): string => from.load(`start + ${i}`);
    const key = isFloat(x!.dtype) ? `select(raw, ${shader.f32(Infinity)}, w_isnan(raw))` : "raw";
    const [outValues, outIndices] = [shader.output(values), shader.output(indices)];
    shader.declare(`var<workgroup> keys: array<${type}, ${shader.workgroup}>;\nvar<workgroup> places: array<u32, ${shader.workgroup}>;
fn before(a: ${type}, i: u32, b: ${type}, j: u32) -> bool {
return i != ${NOWHERE} && (j == ${NOWHERE} || a > b || (a == b && i < j));
}`);
    const body = `if (group >= ${shader.u32(rows)}) { return; }
let start = ${shader.u32(x!.offset)} + group * ${N};
var last_key = ${type}();
var last = ${NOWHERE};
for (var k = 0u; k < ${K}; k++) {
var top = ${type}();
var at = ${NOWHERE};
for (var i = lid; i < ${N}; i += ${shader.workgroup}u) {
let raw = ${raw("i")};
let v = ${key};
if ((last == ${NOWHERE} || before(last_key, last, v, i)) && before(v, i, top, at)) { top = v; at = i; }
}
keys[lid] = top;
places[lid] = at;
workgroupBarrier();
for (var s = ${shader.workgroup / 2}u; s > 0u; s >>= 1u) {
if (lid < s && before(keys[lid + s], places[lid + s], keys[lid], places[lid])) { keys[lid] = keys[lid + s]; places[lid] = places[lid + s]; }
workgroupBarrier();
}
last_key = keys[0];
last = places[0];
if (lid == 0u) {
${outValues.store(`${shader.u32(values.offset)} + group * ${K} + k`, raw("last"))}
${outIndices.store(`${shader.u32(indices.offset)} + group * ${K} + k`, "i32(last)")}
}
workgroupBarrier();
}`;
    return [shader.dispatch(body, rows)];
  },
};
