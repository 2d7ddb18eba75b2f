import { type Operand, sizeOf } from "@weft/tensor-core";
import { type CompositeStep, formatCode, type LowerContext, place, type Run } from "../../lower/context.js";
import { sequence } from "../../lower/steps.js";
import { inRows, pitchOf, rowArguments, rowsWithin, sightArguments } from "./operands.js";

/** Multiply-adds below which waking other threads costs more than it gives. */
const SMALL: number = 64 ** 3;

/** `attention` in one pass over keys and values where they lie. @see attention.wasm.ts */
export function lowerAttention(step: CompositeStep, context: LowerContext): Run {
  const [y, logs] = step.outputs as [Operand, Operand];
  if (sizeOf(logs.shape) === 0) return () => undefined;
  const before: Run[] = [];
  const [q, k, v] = step.inputs.slice(0, 3).map((x) => inRows(x, context, before)) as [Operand, Operand, Operand];
  const { values, placeLimits } = sightArguments(step, context, before);
  const total = values.shared * values.queries;
  const rows = rowsWithin(8192, Math.max(pitchOf(k.shape[3]!), pitchOf(v.shape[3]!)), 128);
  const blocks = Math.ceil(total / rows);
  const args = context.args("attention", {
    ...values,
    ...rowArguments("q", q),
    ...rowArguments("k", k),
    ...rowArguments("v", v),
    y: 0,
    yFormat: formatCode(y.dtype)!,
    logs: 0,
    rows: Math.min(rows, Math.ceil(total / 4) * 4),
    blocks,
  });
  const slabs = k.shape[0]! * values.groups;
  const small = sizeOf(q.shape) * values.keys < SMALL;
  const operands = { q, k, v, y, logs };
  return sequence([
    ...before,
    (addresses) => {
      placeLimits(args, addresses);
      place(args, operands, addresses);
      context.pool.run(args, slabs * blocks, small);
    },
  ]);
}
