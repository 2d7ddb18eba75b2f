import { contiguousStrides, type Operand, sizeOf } from "@weft/tensor-core";
import { type CompositeStep, formatCode, type LowerContext, place, type Run } from "../../lower/context.js";
import { lowerFill, lowerSum } from "../../lower/fused.js";
import { sequence } from "../../lower/steps.js";
import { inRows, pitchOf, rowArguments, rowsWithin, sightArguments } from "./operands.js";

/** Parts that the keys of few slabs are dealt into, so that several threads have work; each part keeps a dq of its own. */
const PARTS = 8;

/** `attentionBackward` without a matrix of scores. @see attention-backward.wasm.ts */
export function lowerAttentionBackward(step: CompositeStep, context: LowerContext): Run {
  const before: Run[] = [];
  const [q, k, v, y, logs, dy] = step.inputs.slice(0, 6).map((x) => inRows(x, context, before)) as [
    Operand,
    Operand,
    Operand,
    Operand,
    Operand,
    Operand,
  ];
  const [dq, dk, dv] = step.outputs as [Operand, Operand, Operand];
  if (sizeOf(logs.shape) === 0 || sizeOf(k.shape) === 0) return sequence([dq, dk, dv].map((x) => lowerFill(0, x, context)));
  const { values, placeLimits } = sightArguments(step, context, before);
  const [pitch, vPitch] = [pitchOf(k.shape[3]!), pitchOf(v.shape[3]!)];
  const widest = Math.max(pitch, vPitch);
  const keysAtOnce = widest > 128 ? 32 : 64;
  const slabs = k.shape[0]! * values.groups;
  const total = values.shared * values.queries;
  const parts = Math.min(Math.ceil(PARTS / slabs), Math.ceil(values.keys / keysAtOnce));
  const wholeRows = Math.ceil(total / 4) * 4;
  const slab = wholeRows * pitch;
  const direct = parts === 1 && dq.dtype === "f32" && slab === total * k.shape[3]!;
  const sums: Operand = direct ? dq : context.temporary([parts, slabs, slab], "f32");
  const args = context.args("attentionBackward", {
    ...values,
    ...rowArguments("q", q),
    ...rowArguments("k", k),
    ...rowArguments("v", v),
    ...rowArguments("y", y),
    ...rowArguments("dy", dy),
    logs: 0,
    dq: 0,
    dqSlab: slab * 4,
    slabs,
    parts,
    dk: 0,
    dkFormat: formatCode(dk.dtype)!,
    dv: 0,
    dvFormat: formatCode(dv.dtype)!,
    rows: rowsWithin(4096, widest, 64),
    step: keysAtOnce,
  });
  const operands = { q, k, v, y, dy, logs, dq: sums, dk, dv };
  const runs: Run[] = [
    ...before,
    (addresses) => {
      placeLimits(args, addresses);
      place(args, operands, addresses);
      context.pool.run(args, slabs * parts, sizeOf(q.shape) * values.keys < 32 ** 3);
    },
  ];
  if (!direct) {
    const shape = [slabs, total, k.shape[3]!];
    const part = (i: number): Operand => ({ ...sums, shape, strides: [slab, pitch, 1], offset: i * slabs * slab });
    runs.push(
      lowerSum(
        Array.from({ length: parts }, (_, i) => part(i)),
        { ...dq, shape, strides: contiguousStrides(shape) },
        context,
      ),
    );
  }
  return sequence(runs);
}
