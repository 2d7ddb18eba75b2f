import { around, identity } from "@weft/tensor-core/program";
import { reduceStep } from "../../wgsl/instructions.js";
import { Shader } from "../../wgsl/shader.js";
import { registerType } from "../../wgsl/storage.js";
import type { Kernel } from "../kernel.js";

/**
 * The primitive `scan`: one workgroup per line; it goes along in pieces, each joined by doubling strides in workgroup memory. For `linear` what
 * is joined are maps h → x·h + y, as pairs.
 */
export const scan: Kernel = ({ inputs, outputs, attrs }, context) => {
  const y = outputs[0]!;
  const x = inputs.at(-1)!;
  const shader = new Shader("scan", context);
  const [outer, n, inner] = around(x.shape, attrs.axis as number);
  const linear = attrs.how === "linear";
  const how = attrs.how as "sum" | "max";
  const type = linear ? "vec2<f32>" : registerType(x.dtype);
  const from = shader.input(x);
  const factors = linear ? shader.input(inputs[0]!) : undefined;
  const to = shader.output(y);
  const [length, stride, lines] = [shader.u32(n), shader.u32(inner), shader.u32(outer * inner)];
  const size = shader.workgroup;
  const neutral = linear ? "vec2<f32>(1.0, 0.0)" : shader.constant(identity(how, x.dtype), x.dtype);
  const value = from.load(`${shader.u32(x.offset)} + at`);
  const factor = factors && factors.load(`${shader.u32(inputs[0]!.offset)} + at`);
  // The first element takes nothing in.
  const element = factor ? `vec2<f32>(select(${factor}, 0.0, i == 0u), ${value})` : value;
  const joined = linear ? "vec2<f32>(l.x * r.x, r.x * l.y + r.y)" : reduceStep(how, x.dtype, "l", "r");
  shader.declare(`fn join(l: ${type}, r: ${type}) -> ${type} { return ${joined}; }`);
  shader.declare(`var<workgroup> part: array<${type}, ${size}>;`);
  const body = `if (group >= ${lines}) { return; }
let start = (group / ${stride}) * ${length} * ${stride} + group % ${stride};
var carry = ${neutral};
for (var base = 0u; base < ${length}; base += ${size}u) {
let i = base + lid;
let at = start + ${attrs.reverse ? `(${length} - 1u - i)` : "i"} * ${stride};
var v = ${neutral};
if (i < ${length}) { v = ${element}; }
part[lid] = v;
workgroupBarrier();
for (var s = 1u; s < ${size}u; s <<= 1u) {
var other = ${neutral};
if (lid >= s) { other = part[lid - s]; }
workgroupBarrier();
part[lid] = join(other, part[lid]);
workgroupBarrier();
}
v = join(carry, part[lid]);
carry = join(carry, part[${size - 1}]);
workgroupBarrier();
if (i < ${length}) { ${to.store(`${shader.u32(y.offset)} + at`, linear ? "v.y" : "v")} }
}`;
  return [shader.dispatch(body, outer * inner)];
};
