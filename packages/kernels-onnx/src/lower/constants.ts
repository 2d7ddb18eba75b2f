import { bytesPerElement, isFloat, type Operand, type Plan, sizeOf, type Step } from "@weft/tensor-core";

/** Rows of a product up to which packing its second factor at each run costs more than a tenth of it. */
export const FEW_ROWS = 32;
/** Of constants that are cheaper kept in the model than handed over at each run. */
export const SMALL_BYTES: number = 1 << 14;

/** How a frozen input is kept in a model: as it is, or widened to f32 and packed for products. */
export type Kept = "stored" | "f32";

/** The second factor of a product, and its rows. */
export function secondFactor(step: Step): { readonly rows: number; readonly factor: Operand } | undefined {
  if (step.kind !== "op" || step.op !== "matmul") return undefined;
  const [x, y] = step.inputs;
  return { rows: sizeOf(x!.shape.slice(0, -1)), factor: y! };
}

/**
 * Which frozen inputs become constants of the model: small ones, packed weights, what was made of frozen inputs beforehand, and factors of products with few rows,
 * which the runtime packs once where it would else pack (and widen) them at each run. Others stay inputs, so that their memory is not taken twice for nothing.
 * @param made of those inputs, the ones that no caller hands over
 */
export function keptConstants({ buffers, steps }: Plan, frozen: ReadonlySet<number>, made: ReadonlySet<number>): ReadonlyMap<number, Kept> {
  const kept = new Map<number, Kept>([...made].map((id) => [id, "stored"]));
  for (const id of frozen) if (buffers[id]!.bytes > 0 && buffers[id]!.bytes <= SMALL_BYTES) kept.set(id, "stored");
  for (const step of steps) {
    if (step.kind === "composite") for (const { buffer } of step.inputs) if (frozen.has(buffer)) kept.set(buffer, "stored");
    const product = secondFactor(step);
    if (!product) continue;
    const { buffer, dtype, shape } = product.factor;
    const whole = sizeOf(shape) * bytesPerElement(dtype) === buffers[buffer]!.bytes;
    if (product.rows > FEW_ROWS && !made.has(buffer)) continue;
    if ((frozen.has(buffer) || made.has(buffer)) && whole && isFloat(dtype)) kept.set(buffer, "f32");
  }
  return kept;
}
