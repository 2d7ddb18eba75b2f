import type { Operand } from "@weft/tensor-core";
import { operation } from "../../wgsl/library.js";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";

/** Buffers of the larger of the two passes. */
const BUFFERS = 9;

const exp = (x: string): string => operation("exp", "f32", [x]);

/** All steps of each channel by a thread, from which either the results or the last state are kept: together they need more buffers than some GPUs bind. */
function pass(
  inputs: readonly Operand[],
  kept: { readonly y: Operand } | { readonly state: readonly Operand[] },
  context: LowerContext,
): Dispatch {
  const [w, u, k, v, numerator, denominator, exponent] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand, Operand];
  const [batch, length, width] = k.shape as [number, number, number];
  const givesY = "y" in kept;
  const shader = new Shader(givesY ? "wkv" : "wkv state", context);
  const element = (operand: Operand, i: string): string => shader.input(operand).load(`${shader.u32(operand.offset)} + ${i}`);
  const store = (operand: Operand, i: string, value: string): string =>
    shader.output(operand).store(`${shader.u32(operand.offset)} + ${i}`, value);
  const [steps, channels, rows] = [shader.u32(length), shader.u32(width), shader.u32(batch * width)];
  const result = givesY
    ? `let bonus = k + u;
let q = max(p, bonus);
let past = ${exp("p - q")};
let now = ${exp("bonus - q")};
${store(kept.y, "at", "(past * a + now * v) / (past * b + now)")}`
    : "";
  const body = `if (tid >= ${rows}) { return; }
let channel = tid % ${channels};
let w = ${element(w, "channel")};
${givesY ? `let u = ${element(u, "channel")};` : ""}
var a = ${element(numerator, "tid")};
var b = ${element(denominator, "tid")};
var p = ${element(exponent, "tid")};
for (var t = 0u; t < ${steps}; t++) {
let at = ((tid / ${channels}) * ${steps} + t) * ${channels} + channel;
let k = ${element(k, "at")};
let v = ${element(v, "at")};
${result}
let fallen = p + w;
p = max(fallen, k);
let kept = ${exp("fallen - p")};
let own = ${exp("k - p")};
a = kept * a + own * v;
b = kept * b + own;
}
${givesY ? "" : kept.state.map((operand, i) => store(operand, "tid", "abp"[i]!)).join("\n")}`;
  return shader.dispatch(body, Math.ceil((batch * width) / shader.workgroup));
}

/** `wkv` in two passes over the steps, a thread per channel. */
export const wkv: CompositeKernel = {
  claims: (_, { maxStorageBuffers }) => maxStorageBuffers >= BUFFERS,
  lower({ inputs, outputs: [y, ...state] }, context) {
    return [pass(inputs, { y: y! }, context), pass(inputs, { state }, context)];
  },
};
