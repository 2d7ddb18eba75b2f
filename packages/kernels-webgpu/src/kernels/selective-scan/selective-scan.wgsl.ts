import type { Operand } from "@weft/tensor-core";
import { operation } from "../../wgsl/library.js";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel } from "../kernel.js";

/** Numbers of states that a shader is made for, which a thread keeps. */
const SIZES = [4, 16, 64];
const BUFFERS = 9;

/** `selectiveScan` in one pass over the steps, a thread per channel: states of more than one step do not exist. */
export const selectiveScan: CompositeKernel = {
  claims: ({ inputs }, { maxStorageBuffers }) => inputs[2]!.shape[1]! <= SIZES.at(-1)! && maxStorageBuffers >= BUFFERS,
  lower({ inputs, outputs }, context) {
    const [x, delta, a, b, c, d, before] = inputs as [Operand, Operand, Operand, Operand, Operand, Operand, Operand];
    const [y, after] = outputs as [Operand, Operand];
    const [batch, length, width] = x.shape as [number, number, number];
    const size = SIZES.find((s) => a.shape[1]! <= s)!;
    const shader = new Shader(`selectiveScan ${size}`, context);
    const element = (operand: Operand, i: string): string => shader.input(operand).load(`${shader.u32(operand.offset)} + ${i}`);
    const store = (operand: Operand, i: string, value: string): string =>
      shader.output(operand).store(`${shader.u32(operand.offset)} + ${i}`, value);
    const [steps, channels, states, rows] = [length, width, a.shape[1]!, batch * width].map((n) => shader.u32(n)) as [
      string,
      string,
      string,
      string,
    ];
    const each = (body: string): string => `for (var s = 0u; s < ${states}; s++) { ${body} }`;
    const body = `if (tid >= ${rows}) { return; }
let channel = tid % ${channels};
var h: array<f32, ${size}>;
var decay: array<f32, ${size}>;
${each(`h[s] = ${element(before, `tid * ${states} + s`)}; decay[s] = ${element(a, `channel * ${states} + s`)};`)}
let past = ${element(d, "channel")};
for (var t = 0u; t < ${steps}; t++) {
let place = (tid / ${channels}) * ${steps} + t;
let at = place * ${channels} + channel;
let x = ${element(x, "at")};
let delta = ${element(delta, "at")};
var sum = past * x;
${each(`let i = place * ${states} + s; h[s] = ${operation("exp", "f32", ["delta * decay[s]"])} * h[s] + delta * x * ${element(b, "i")}; sum += h[s] * ${element(c, "i")};`)}
${store(y, "at", "sum")}
}
${each(store(after, `tid * ${states} + s`, "h[s]"))}`;
    return [shader.dispatch(body, Math.ceil((batch * width) / shader.workgroup))];
  },
};
