import { bytesPerElement, type Operand, type Plan, type Step } from "@weft/tensor-core";
import type { RowPlan } from "./tile-graph.js";

/** The plan of a tile of some number of rows, which serves wherever the tile begins. */
export interface TilePlan extends RowPlan {
  /** Bytes to add to the address of each input per row that the tile begins at: the part of a parameter that the rows need moves with them. */
  readonly shifts: readonly number[];
}

const operandsOf = (plan: Plan): Operand[] => [...plan.steps.flatMap((s) => [...s.inputs, ...s.outputs]), ...plan.outputs];

/** First element that the operands on a buffer reach. */
function lowest(plan: Plan, buffer: number): number {
  const starts = operandsOf(plan)
    .filter((o) => o.buffer === buffer && !o.shape.includes(0))
    .map((o) => o.shape.reduce((first, d, i) => first + Math.min(0, (d - 1) * o.strides[i]!), o.offset));
  return starts.length === 0 ? 0 : Math.min(...starts);
}

/** The plan with operands on input buffers moved down, so that each begins at 0. */
function rebase(plan: Plan, low: readonly number[]): Plan {
  const by = new Map(plan.inputs.map((buffer, i) => [buffer, low[i]!]));
  const move = (o: Operand): Operand => ({ ...o, offset: o.offset - (by.get(o.buffer) ?? 0) });
  return {
    ...plan,
    steps: plan.steps.map((s) => ({ ...s, inputs: s.inputs.map(move), outputs: s.outputs.map(move) }) as Step),
    outputs: plan.outputs.map(move),
  };
}

/**
 * A plan for `rows` of all `total` rows that holds at any start. Made for two places: what differs between the plans must be where parameters are
 * read, in proportion to the start.
 * @returns undefined if there is none
 */
export function planTile(total: number, rows: number, make: (start: number, stop: number) => RowPlan | undefined): TilePlan | undefined {
  const first = make(0, rows);
  if (!first) return undefined;
  if (rows >= total) return { ...first, shifts: first.plan.inputs.map(() => 0) };
  const step = Math.min(rows, total - rows);
  const next = make(step, step + rows);
  if (!next || !sameBytes(first.constants, next.constants)) return undefined;
  const [low, moved] = [first, next].map(({ plan }) => plan.inputs.map((buffer) => lowest(plan, buffer))) as [number[], number[]];
  if (low.some((l) => l !== 0) || JSON.stringify(rebase(next.plan, moved)) !== JSON.stringify(first.plan)) return undefined;
  return { ...first, shifts: moved.map((l, i) => (l / step) * elementBytes(first.plan, first.plan.inputs[i]!)) };
}

const sameBytes = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((bytes, i) => Buffer.compare(bytes, b[i]!) === 0);

function elementBytes(plan: Plan, buffer: number): number {
  const operand = operandsOf(plan).find((o) => o.buffer === buffer);
  return operand ? bytesPerElement(operand.dtype) : 0;
}
