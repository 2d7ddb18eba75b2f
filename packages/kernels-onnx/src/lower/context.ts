import { type DType, type Operand, type Step } from "@weft/tensor-core";
import type { Lanes } from "@weft/tensor-core/program";
import type { Builder } from "./builder.js";
import type { Stored } from "./storage.js";
import type { Value } from "./value.js";

/** A primitive that is not elementwise. */
export type OpStep = Extract<Step, { readonly kind: "op" }>;

/** A fused program over its operands. */
export type FusedStep = Extract<Step, { readonly kind: "fused" }>;

/** A composite that the backend claims. */
export type CompositeStep = Extract<Step, { readonly kind: "composite" }>;

/** What products with packed weights compute the other factor with: as it is, or rounded to eight bits with a scale for each block. */
export type Activations = "f32" | "int8";

/** What lowerings of steps use. */
export interface Context {
  readonly builder: Builder;
  readonly lanes: Lanes<Value, Value, Value>;
  readonly activations: Activations;
  /** An operand; axes along which it repeats one element have length 1. */
  view(operand: Operand): Value;
  /** An operand in its whole shape. */
  whole(operand: Operand): Value;
  /** An operand in its whole shape, not widened if it is all of its buffer. */
  asStored(operand: Operand): Stored;
  /** The name of an operand of bytes, not widened. */
  bytes(operand: Operand): string;
  /** The shape in which all of an operand's buffer is at hand; undefined if it is not, which then may come in any. */
  heldShape(operand: Operand): readonly number[] | undefined;
  /** Whether anything reads what a step writes there. */
  isRead(output: Operand): boolean;
  /** Makes stored elements the contents of an output's buffer, which it fills. */
  put(output: Operand, stored: Stored): void;
  /** Makes a value of dtype `from` (that of the output if not given) and of the output's shape the contents of its buffer. */
  store(output: Operand, value: Value, from?: DType): void;
}
