import { bytesPerElement, isFloat, type Operand, type Plan, sizeOf, type Step } from "@weft/tensor-core";

/** Rows of a product up to which packing its second factor at each run costs more than a tenth of it. */
export const FEW_ROWS = 32;
/** Of constants that are cheaper kept in the model than handed over at each run. */
export const SMALL_BYTES: number = 1 << 14;

/** How a frozen input is kept in a model: as it is, or widened to f32 and packed for products. */
export type Kept = "stored" | "f32";

/** The second factor of a product with at most so many rows. */
export function constantFactor(step: Step, rows: number): readonly Operand[] {
  if (step.kind !== "op" || step.op !== "matmul") return [];
  const [x, y] = step.inputs;
  return sizeOf(x!.shape.slice(0, -1)) <= rows ? [y!] : [];
}

/**
 * Which frozen inputs become constants of the model: small ones, packed weights, and factors of products with few rows, which the runtime packs once where it
 * would else pack (and widen) them at each run. Others stay inputs, so that their memory is not taken twice for nothing.
 */
export function keptConstants({ buffers, steps }: Plan, frozen: ReadonlySet<number>): ReadonlyMap<number, Kept> {
  const kept = new Map<number, Kept>();
  for (const id of frozen) if (buffers[id]!.bytes > 0 && buffers[id]!.bytes <= SMALL_BYTES) kept.set(id, "stored");
  for (const step of steps) {
    if (step.kind === "composite") for (const { buffer } of step.inputs) if (frozen.has(buffer)) kept.set(buffer, "stored");
    for (const { buffer, dtype, shape } of constantFactor(step, FEW_ROWS)) {
      const whole = sizeOf(shape) * bytesPerElement(dtype) === buffers[buffer]!.bytes;
      if (frozen.has(buffer) && whole && isFloat(dtype)) kept.set(buffer, "f32");
    }
  }
  return kept;
}
