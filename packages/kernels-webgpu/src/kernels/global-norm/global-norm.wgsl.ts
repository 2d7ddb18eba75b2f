import { isFloat, type Operand, type Program, sizeOf } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import { workgroupReduce } from "../../wgsl/workgroup-reduce.js";
import type { CompositeKernel, Dispatch, LowerContext } from "../kernel.js";
import { rowReduce } from "../row-reduce/row-reduce.wgsl.js";

const THREADS = 256;
/** Elements that a workgroup adds up, unless a tensor is so large that there would be more than `MOST_GROUPS`. */
const PIECE = 4096;
const MOST_GROUPS = 512;

/** One tensor's share of the partial sums. */
interface Share {
  readonly operand: Operand;
  readonly size: number;
  readonly groups: number;
}

/**
 * `globalNorm`: as many tensors per kernel as bindings allow (7 on every GPU), each cut into pieces for workgroups of its own, then one
 * kernel over the partial sums. The decomposition takes a kernel per tensor (two for large ones), and concatenations.
 * Sums run in a fixed order.
 */
export const globalNorm: CompositeKernel = {
  claims: ({ inputs }) => inputs.length > 1 && inputs.every((i) => isFloat(i.dtype)),
  lower({ inputs, outputs }, context) {
    const shares = inputs.map((operand): Share => {
      const size = sizeOf(operand.shape);
      return { operand, size, groups: Math.min(MOST_GROUPS, Math.max(1, Math.ceil(size / PIECE))) };
    });
    const total = shares.reduce((sum, s) => sum + s.groups, 0);
    const partial = context.temporary([total], "f32");
    const dispatches: Dispatch[] = [];
    let first = 0;
    for (let i = 0; i < shares.length; i += context.limits.maxStorageBuffers - 1) {
      const some = shares.slice(i, i + context.limits.maxStorageBuffers - 1);
      dispatches.push(squares(some, partial, first, context));
      first += some.reduce((sum, s) => sum + s.groups, 0);
    }
    const program: Program = {
      shape: [total],
      reduced: 1,
      instructions: [
        { op: "load", dtype: "f32", input: 0 },
        { op: "reduce", dtype: "f32", how: "sum", a: 0 },
        { op: "sqrt", dtype: "f32", a: 1 },
      ],
      outputs: [{ value: 2, perRow: true }],
    };
    return [...dispatches, rowReduce(program, [partial], outputs, context)];
  },
};

/** Σ x² of every piece of some tensors, from number `first` on. */
function squares(shares: readonly Share[], partial: Operand, first: number, context: LowerContext): Dispatch {
  const shader = new Shader(`globalNorm ${shares.length}`, context, Math.min(THREADS, context.limits.maxInvocations));
  const count = shares.reduce((sum, s) => sum + s.groups, 0);
  const lines = [`if (group >= ${shader.u32(count)}) { return; }`, "var piece = group;", "var sum = 0.0;"];
  for (const { operand, size, groups } of shares) {
    const [n, length, mine] = [size, Math.ceil(size / groups), groups].map((v) => shader.u32(v)) as [string, string, string];
    const load = shader.input(operand).load(`${shader.u32(operand.offset)} + i`);
    // Behind its own tensor `piece` has wrapped around and is larger than any number of groups.
    lines.push(
      `if (piece < ${mine}) { for (var i = piece * ${length} + lid; i < min(${n}, (piece + 1u) * ${length}); i += ${shader.workgroup}u) { let v = ${load}; sum += v * v; } }`,
      `piece -= ${mine};`,
    );
  }
  lines.push(
    `let total = ${workgroupReduce(shader, "sum", "f32")("sum")};`,
    `if (lid == 0u) { ${shader.output(partial).store(`${shader.u32(first)} + group`, "total")} }`,
  );
  return shader.dispatch(lines.join("\n"), count);
}
