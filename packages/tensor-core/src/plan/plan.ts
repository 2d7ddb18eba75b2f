import type { Attrs } from "../attrs.js";
import type { DType } from "../dtype.js";
import type { BinaryOp, UnaryOp } from "../primitives/index.js";
import type { ReduceOp } from "../primitives/reduce.js";

/**
 * A plan: what `compile` makes of a graph and what a backend lowers. Buffers are numbered; steps run
 * in order; there is no control flow and no allocation while it runs.
 */
export interface Plan {
  readonly buffers: readonly BufferSpec[];
  readonly steps: readonly Step[];
  /** Buffer ids that the caller binds, in the order of the traced inputs (constants come last). */
  readonly inputs: readonly number[];
  /**
   * Results, each whole in a buffer of its own with the role `output`, bound by the caller: to memory of its own, or, where the buffer lies `over` a
   * donated input, to the memory of that input.
   */
  readonly outputs: readonly Operand[];
  /** Size in bytes of the one scratch arena that all `scratch` buffers share. */
  readonly scratchBytes: number;
  /** Bytes of inputs, outputs and arena together: the peak while it runs. @see withFootprint */
  readonly peakBytes: number;
}

/** `input` and `output` buffers are bound at each run; `scratch` buffers lie at `offset` bytes (64-byte aligned) in the arena. */
export type BufferSpec =
  /** A donated input may be overwritten: its caller does not need it any more. */
  | { readonly role: "input"; readonly bytes: number; readonly donated?: boolean }
  /** `over` is the donated input whose memory it takes. */
  | { readonly role: "output"; readonly bytes: number; readonly over?: number }
  | { readonly role: "scratch"; readonly bytes: number; readonly offset: number };

/**
 * A strided view of a buffer. `strides` and `offset` count elements of `dtype`, not bytes; a stride is 0 on a
 * broadcast axis and may be negative on a flipped one.
 */
export interface Operand {
  readonly buffer: number;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/**
 * - `fused`: inputs have any strides; outputs are contiguous.
 * - `op`: one primitive that is not elementwise, or the sum of a float matrix over its rows (`reduce` with axes [0]), which accumulates in f64 or in short
 *   blocks, so that long columns are exact to 1e-6. Inputs are contiguous but where it takes `anyStrides`. The output is contiguous.
 * - `composite`: a kernel of the backend's own (only for calls it has claimed); contiguous operands but for the
 *   inputs where it takes `anyStrides`.
 * Operands may start at an offset. No output overlaps an input of the same step, unless they are the identical view (in place) in a `fused`
 * step, or of an input that the primitive or composite `overwrites`.
 */
export type Step =
  | { readonly kind: "fused"; readonly program: Program; readonly inputs: readonly Operand[]; readonly outputs: readonly Operand[] }
  | {
      readonly kind: "op";
      readonly op: string;
      readonly attrs: Attrs;
      readonly inputs: readonly Operand[];
      readonly outputs: readonly Operand[];
      /** Floating-point operations (a multiply-add is two). */
      readonly flops: number;
    }
  | {
      readonly kind: "composite";
      readonly op: string;
      readonly attrs: Attrs;
      readonly inputs: readonly Operand[];
      readonly outputs: readonly Operand[];
      /** Floating-point operations (a multiply-add is two). */
      readonly flops: number;
      /** Inputs that an output may lie in, if both are the same dense bytes. */
      readonly overwrites?: readonly number[];
    };

/**
 * A fused loop over the iteration space `shape`. Values are numbered by instruction (SSA).
 * With `reduced` = k > 0 the last k axes are the reduction axes: a `reduce` instruction turns a value over
 * the whole space into one value per row (the leading axes), which later instructions may use again
 * over the whole space (softmax is one program). An output is stored over the whole space, or, with `perRow`, once per row.
 *
 * Registers: float dtypes are f32 (rounded to the storage dtype only by `cast` and on store), integer dtypes and bool
 * are i32 (bool: 0 or 1).
 */
export interface Program {
  readonly shape: readonly number[];
  readonly reduced: number;
  readonly instructions: readonly Instruction[];
  readonly outputs: readonly { readonly value: number; readonly perRow: boolean }[];
}

/** `dtype` is that of the result. `a`, `b`, `c` are indices of earlier instructions. */
export type Instruction =
  /** The element of input `input` at the current position; that operand has the shape of the space (broadcasts are 0 strides). */
  | { readonly op: "load"; readonly dtype: DType; readonly input: number }
  | { readonly op: "const"; readonly dtype: DType; readonly value: number }
  /** The element with number `a` of input `input`, which is a vector whatever the space is. */
  | { readonly op: "lookup"; readonly dtype: DType; readonly input: number; readonly a: number }
  /** The current position along `axis` of the space. */
  | { readonly op: "index"; readonly dtype: "i32"; readonly axis: number }
  | { readonly op: "cast"; readonly dtype: DType; readonly a: number }
  /** The stored bits of `a` read as another dtype. */
  | { readonly op: "bitcast"; readonly dtype: DType; readonly a: number }
  | { readonly op: UnaryOp; readonly dtype: DType; readonly a: number }
  | { readonly op: BinaryOp; readonly dtype: DType; readonly a: number; readonly b: number }
  /** a ≠ 0 ? b : c */
  | { readonly op: "where"; readonly dtype: DType; readonly a: number; readonly b: number; readonly c: number }
  | { readonly op: "reduce"; readonly dtype: DType; readonly how: ReduceOp; readonly a: number };
