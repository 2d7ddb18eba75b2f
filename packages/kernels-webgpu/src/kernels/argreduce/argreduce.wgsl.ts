import { around } from "@weft/tensor-core/program";
import { Shader } from "../../wgsl/shader.js";
import { registerType } from "../../wgsl/storage.js";
import type { Kernel } from "../kernel.js";

/** The primitive `argreduce`: one workgroup per line; of equal values the first wins, and NaN over all others. */
export const argreduce: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const shader = new Shader("argreduce", context);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const type = registerType(x.dtype);
  const from = shader.input(x);
  const [length, stride, lines] = [shader.u32(n), shader.u32(inner), shader.u32(outer * inner)];
  const better = attrs.how === "max" ? ">" : "<";
  // Compilers may assume that comparisons see no NaN.
  const beats = type === "f32" ? `!w_isnan(b) && (w_isnan(a) || a ${better} b)` : `a ${better} b`;
  shader.declare(`fn beats(a: ${type}, b: ${type}) -> bool { return ${beats}; }`);
  shader.declare(`var<workgroup> best: array<${type}, ${shader.workgroup}>;\nvar<workgroup> place: array<u32, ${shader.workgroup}>;`);
  const load = (i: string): string => from.load(`start + (${i}) * ${stride}`);
  const body = `if (group >= ${lines}) { return; }
let start = ${shader.u32(x.offset)} + (group / ${stride}) * ${length} * ${stride} + group % ${stride};
var value = ${load("0u")};
var at = 0u;
for (var i = lid; i < ${length}; i += ${shader.workgroup}u) {
let v = ${load("i")};
if (beats(v, value)) { value = v; at = i; }
}
best[lid] = value;
place[lid] = at;
workgroupBarrier();
for (var s = ${shader.workgroup / 2}u; s > 0u; s >>= 1u) {
if (lid < s) {
let v = best[lid + s];
let p = place[lid + s];
if (beats(v, best[lid]) || (p < place[lid] && !beats(best[lid], v))) { best[lid] = v; place[lid] = p; }
}
workgroupBarrier();
}
if (lid == 0u) { ${shader.output(y).store(`${shader.u32(y.offset)} + group`, `i32(place[0])`)} }`;
  return [shader.dispatch(body, outer * inner)];
};
