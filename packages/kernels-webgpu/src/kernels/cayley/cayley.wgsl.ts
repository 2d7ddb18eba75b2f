import { type CompositeCall, isFloat, type Operand } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import type { CompositeKernel, Kernel, KernelLimits } from "../kernel.js";

/** Sizes of blocks that a shader is made for; small ones leave room for more workgroups. */
const SIZES = [16, 32, 48, 63, 64, 90];

/** Bytes of workgroup memory: the block and one column of it. */
const bytesFor = (b: number): number => 4 * (b * b + b);

function claims({ inputs }: CompositeCall, { maxWorkgroupBytes }: KernelLimits): boolean {
  const b = inputs[0]!.shape[1]!;
  const size = SIZES.find((s) => b <= s);
  return isFloat(inputs[0]!.dtype) && b > 0 && size !== undefined && bytesFor(size) <= maxWorkgroupBytes;
}

/**
 * Gauss–Jordan elimination in place without pivoting, a workgroup per block, which lies in workgroup memory from the first load to the
 * last store: one dispatch instead of a few per column.
 * @param plus added to the diagonal before, as the decomposition of `cayley` does
 * @param times the inverse is multiplied by it
 * @param minus taken from its diagonal
 */
function eliminate(name: string, [plus, times, minus]: readonly [number, number, number]): Kernel {
  return ({ inputs, outputs }, context) => {
    const [m, out] = [inputs[0]!, outputs[0]!] as [Operand, Operand];
    const [n, b] = m.shape as [number, number];
    const size = SIZES.find((s) => b <= s)!;
    const shader = new Shader(`${name} ${size}`, context, size <= 16 ? 64 : Math.min(256, context.limits.maxInvocations));
    const [from, to] = [shader.input(m), shader.output(out)];
    const [blocks, width, begin, target] = [n, b, m.offset, out.offset].map((v) => shader.u32(v)) as [string, string, string, string];
    shader.declare(`var<workgroup> block: array<f32, ${size * size}>;\nvar<workgroup> column: array<f32, ${size}>;`);
    const each = (body: string): string => `for (var e = lid; e < ${width} * ${width}; e += ${shader.workgroup}u) {\n${body}\n}`;
    const at = `let i = e / ${width};\nlet j = e % ${width};`;
    const body = `if (group >= ${blocks}) { return; }
let base = group * ${width} * ${width};
${each(`${at}\nblock[e] = ${from.load(`${begin} + base + e`)} + select(0.0, ${shader.f32(plus)}, i == j);`)}
workgroupBarrier();
for (var k = 0u; k < ${width}; k++) {
let pivot = block[k * ${width} + k];
for (var i = lid; i < ${width}; i += ${shader.workgroup}u) { column[i] = block[i * ${width} + k]; }
workgroupBarrier();
for (var j = lid; j < ${width}; j += ${shader.workgroup}u) { block[k * ${width} + j] = select(block[k * ${width} + j], 1.0, j == k) / pivot; }
workgroupBarrier();
${each(`${at}\nif (i != k) { block[e] = select(block[e], 0.0, j == k) - column[i] * block[k * ${width} + j]; }`)}
workgroupBarrier();
}
${each(`${at}\n${to.store(`${target} + base + e`, `(block[e] * ${shader.f32(times)} - select(0.0, ${shader.f32(minus)}, i == j))`)}`)}`;
    return [shader.dispatch(body, n)];
  };
}

/** `inverse` of blocks with positive definite symmetric part. */
export const inverse: CompositeKernel = { claims, lower: eliminate("inverse", [0, 1, 0]) };

/** `cayley`: 2(I + Q)⁻¹ - I. */
export const cayley: CompositeKernel = { claims, lower: eliminate("cayley", [1, 2, 1]) };
