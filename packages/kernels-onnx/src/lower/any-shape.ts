import { contiguousStrides, isContiguous, type Operand, sameShape, sizeOf } from "@weft/tensor-core";
import type { Context, FusedStep } from "./context.js";

/** Whether an operand is one element wherever it is read. */
export const isSingle = ({ shape, strides }: Operand): boolean => strides.every((stride, axis) => stride === 0 || shape[axis] === 1);

/** Whether each element is computed of those at the same place and of single numbers: such a step may be computed in any shape of as many elements. */
export const fitsAnyShape = ({ program: { reduced, instructions }, inputs }: FusedStep): boolean =>
  reduced === 0 &&
  instructions.every(({ op }) => op !== "index" && op !== "lookup") &&
  inputs.every((input) => isSingle(input) || isContiguous(input.shape, input.strides));

/** The shape in which most of what a step reads is at hand, so that least has to be reshaped. */
export function shapeAtHand(context: Context, { program: { shape: own }, inputs }: FusedStep): readonly number[] {
  const held = inputs.flatMap((input) => {
    const shape = isSingle(input) ? undefined : context.heldShape(input);
    return shape && sizeOf(shape) === sizeOf(own) ? [shape] : [];
  });
  const count = (shape: readonly number[]): number => held.filter((other) => sameShape(other, shape)).length;
  return held.reduce((best, shape) => (count(shape) > count(best) ? shape : best), own);
}

/** The step over another shape of as many elements. */
export function inShape(step: FusedStep, shape: readonly number[]): FusedStep {
  const inputs = step.inputs.map((input) => ({
    ...input,
    shape,
    strides: isSingle(input) ? shape.map(() => 0) : contiguousStrides(shape),
  }));
  return { ...step, program: { ...step.program, shape }, inputs };
}
