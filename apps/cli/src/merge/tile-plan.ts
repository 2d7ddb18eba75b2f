import { bytesPerElement, CapabilityError, type CompositeCall, type Operand, type Plan, type Step as PlanStep } from "@weft/tensor-core";
import type { Item } from "./item.js";
import { coreDType, planRows, type TileOutputs } from "./tile-graph.js";

/** The plan of one tile with the tensor's buffer holding only the tile's rows. */
export interface TilePlan {
  readonly plan: Plan;
  /** Bytes to add to the address of each input per row of the tile's start: which part of a parameter the rows need. */
  readonly shifts: readonly number[];
}

/** Elements of a buffer that the operands on it reach: first and one past the last. */
function reach(plan: Plan, buffer: number): readonly [number, number] {
  let [low, high] = [Infinity, 0];
  for (const operand of operandsOf(plan)) {
    if (operand.buffer !== buffer || operand.shape.includes(0)) continue;
    let [first, last] = [operand.offset, operand.offset];
    operand.shape.forEach((d, i) => {
      const span = (d - 1) * operand.strides[i]!;
      if (span > 0) last += span;
      else first += span;
    });
    [low, high] = [Math.min(low, first), Math.max(high, last + 1)];
  }
  return low === Infinity ? [0, 0] : [low, high];
}

const operandsOf = (plan: Plan): Operand[] => [...plan.steps.flatMap((s) => [...s.inputs, ...s.outputs]), ...plan.outputs];

/** The plan with the offsets of operands on input buffers moved down by `by[buffer]` elements. */
function rebase(plan: Plan, by: ReadonlyMap<number, number>, weightBytes: number): Plan {
  const move = (o: Operand): Operand => (by.get(o.buffer) ? { ...o, offset: o.offset - by.get(o.buffer)! } : o);
  const steps = plan.steps.map((s) => ({ ...s, inputs: s.inputs.map(move), outputs: s.outputs.map(move) }) as PlanStep);
  const buffers = plan.buffers.map((spec, i) => (i === plan.inputs[0] ? { ...spec, bytes: weightBytes } : spec));
  return { ...plan, steps, buffers, outputs: plan.outputs.map(move) };
}

/** Lowest offset of the operands on each input but the first. */
const lowest = (plan: Plan): number[] => plan.inputs.map((buffer, i) => (i === 0 ? 0 : reach(plan, buffer)[0]));

/** A plan made for other rows must be the same plan but for offsets. */
const outline = (plan: Plan): string => JSON.stringify({ ...plan, buffers: plan.buffers.map((b) => ({ ...b, bytes: 0 })) });

/**
 * A plan for `rows` rows of an item that serves at any start: the tensor's operands are counted from the tile's first row, and parameters of
 * which each tile takes a part are found by shifting their address.
 * @returns undefined if the rows cannot be computed from the same rows of the tensor alone (DoRA on an embedding takes norms over all of them)
 */
export async function planTile(item: Item, rows: number, outputs: TileOutputs, claims: (call: CompositeCall) => boolean): Promise<TilePlan | undefined> {
  const total = item.shape[0] ?? 1;
  const perRow = item.source.shape.slice(1).reduce((a, b) => a * b, 1);
  const at = async (start: number): Promise<{ plan: Plan; low: number[] } | undefined> => {
    const plan = await planRows(item, [start, start + rows], outputs, claims);
    const [first, end] = reach(plan, plan.inputs[0]!);
    if (end > 0 && (first < start * perRow || end > (start + rows) * perRow)) return undefined;
    const low = lowest(plan);
    const by = new Map(plan.inputs.map((buffer, i) => [buffer, i === 0 ? start * perRow : low[i]!]));
    return { plan: rebase(plan, by, rows * perRow * bytesPerElement(coreDType(item.source.dtype))), low };
  };
  const here = await at(0);
  if (!here) return undefined;
  const zero = { plan: here.plan, shifts: here.plan.inputs.map(() => 0) };
  if (rows >= total) return zero;
  const step = Math.min(rows, total - rows);
  const next = await at(step);
  if (!next || outline(next.plan) !== outline(here.plan) || here.low.some((l) => l !== 0)) return undefined;
  return { plan: here.plan, shifts: next.low.map((low, i) => (i === 0 ? 0 : (low / step) * elementBytes(here.plan, i))) };
}

function elementBytes(plan: Plan, input: number): number {
  const operand = operandsOf(plan).find((o) => o.buffer === plan.inputs[input]);
  return operand ? bytesPerElement(operand.dtype) : 0;
}

/** The plan of a whole tensor in one piece. */
export async function planWhole(item: Item, outputs: TileOutputs, claims: (call: CompositeCall) => boolean): Promise<TilePlan> {
  const plan = await planTile(item, item.shape[0] ?? 1, outputs, claims);
  if (!plan) throw new CapabilityError(`${item.name}: no plan for the whole tensor`, { kind: "internal", tensor: item.name });
  return plan;
}
