import { around } from "@weft/tensor-core/program";
import { Shader } from "../../wgsl/shader.js";
import { registerType } from "../../wgsl/storage.js";
import type { Kernel } from "../kernel.js";

/** The primitive `cumsum`: one workgroup per line; it goes along in pieces, each summed by doubling strides in workgroup memory. */
export const cumsum: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const shader = new Shader("cumsum", context);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const type = registerType(x.dtype);
  const [from, to] = [shader.input(x), shader.output(y)];
  const [length, stride, lines] = [shader.u32(n), shader.u32(inner), shader.u32(outer * inner)];
  const size = shader.workgroup;
  shader.declare(`var<workgroup> part: array<${type}, ${size}>;`);
  const body = `if (group >= ${lines}) { return; }
let start = (group / ${stride}) * ${length} * ${stride} + group % ${stride};
var carry = ${type}();
for (var base = 0u; base < ${length}; base += ${size}u) {
let i = base + lid;
let at = start + ${attrs.reverse ? `(${length} - 1u - i)` : "i"} * ${stride};
var v = ${type}();
if (i < ${length}) { v = ${from.load(`${shader.u32(x.offset)} + at`)}; }
part[lid] = v;
workgroupBarrier();
for (var s = 1u; s < ${size}u; s <<= 1u) {
var other = ${type}();
if (lid >= s) { other = part[lid - s]; }
workgroupBarrier();
part[lid] += other;
workgroupBarrier();
}
v = carry + part[lid];
carry += part[${size - 1}];
workgroupBarrier();
if (i < ${length}) { ${to.store(`${shader.u32(y.offset)} + at`, "v")} }
}`;
  return [shader.dispatch(body, outer * inner)];
};
