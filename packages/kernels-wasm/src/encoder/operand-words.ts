import type { Program } from "@weft/tensor-core";

/** Axes of `index` instructions, in order of their operands. */
export function indexAxes(program: Program): number[] {
  return [...new Set(program.instructions.flatMap((i) => (i.op === "index" ? [i.axis] : [])))];
}

/** Word at which operand `k` begins in the argument block: address, then its strides. */
export function operandWord(loop: { readonly rowSizes: readonly number[]; readonly sweepSizes: readonly number[] }, k: number): number {
  const [r, q] = [loop.rowSizes.length, loop.sweepSizes.length];
  return 4 + r + q + k * (2 + r + q);
}
