import type { Attrs } from "../attrs.js";
import type { Box } from "../box.js";
import type { Shape } from "../shape.js";
import type { TensorSpec } from "../tensor-spec.js";
import type { Ops } from "./ops.js";

export type PrimitiveGroup =
  | "leaf"
  | "unary"
  | "binary"
  | "select"
  | "reduce"
  | "matmul"
  | "conv"
  | "movement"
  | "index"
  | "scan"
  | "random"
  | "control";

/** A call of a primitive. */
export interface Call<T extends TensorSpec = TensorSpec> {
  readonly inputs: readonly T[];
  readonly output: T;
  readonly attrs: Attrs;
}

/**
 * The gradients with respect to the inputs of a call, given dy, the gradient of a scalar with respect to its result; undefined where there
 * is none. A rule knows tensors by their shape and dtype and builds graph with `o`, so gradients of gradients follow.
 */
export type GradientRule = <T extends TensorSpec>(call: Call<T>, dy: T, o: Ops<T>) => readonly (T | undefined)[];

/** A part of a call's result as the same operation on parts of its inputs. */
export interface Part {
  /** What it takes of each input. */
  readonly boxes: readonly Box[];
  /** Attributes of the smaller call, where they are others. */
  readonly attrs?: Attrs;
  /** Where the part lies in the smaller call's result; undefined if it is all of it. */
  readonly within?: Box;
}

/** The part of a call's result in a box; undefined where only the whole can be computed. */
export type SliceRule = (call: Call, box: Box) => Part | undefined;

/** A strided view; strides and offset in elements. */
export interface Strided {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** The view that a movement makes of a view; undefined if it needs a copy. */
export type ViewRule = (view: Strided, shape: Shape, attrs: Attrs) => Strided | undefined;

/** Values of an operand in row-major order. */
export interface ReferenceInput {
  readonly values: Float64Array;
  readonly shape: Shape;
}

/** A plain implementation: values of the inputs to values of the result, in row-major order; rounded to the dtype by who stores them. */
export type ReferenceKernel = (inputs: readonly ReferenceInput[], attrs: Attrs, output: { readonly shape: Shape }) => ArrayLike<number>;

/** Values that an input holds as indices: from `least` to `most`, and `besides` them one that stands for none. */
export interface IndexRange {
  readonly input: number;
  /** What the input is called. */
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly besides?: number;
}

/** Which inputs hold indices, for devices that check them. Without such a check, what is out of range has a defined result. */
export type IndexRule = (inputs: readonly TensorSpec[], attrs: Attrs) => readonly IndexRange[];

/** The smallest and the largest value that an integer tensor may hold. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

/** Bounds of an integer result, given those of the inputs; undefined where there are none but its dtype's. Its caller sees to it that results which wrap have none. */
export type BoundsRule = (inputs: readonly Bounds[], attrs: Attrs) => Bounds | undefined;

/** Floating-point operations of a call (a multiply-add is two), from its shapes. */
export type FlopRule = (inputs: readonly { readonly shape: Shape }[], outputs: readonly { readonly shape: Shape }[]) => number;

/**
 * Something that every backend can run, with all that the core knows of it. A definition lies below the graph: its rules see shapes
 * and dtypes, and build graph only with what they are given.
 */
export interface Primitive {
  readonly name: string;
  readonly group: PrimitiveGroup;
  /** The result's shape and dtype. Inputs are already promoted and broadcast where the primitive asks for it. @throws ShapeError, DTypeError */
  readonly infer: (inputs: readonly TensorSpec[], attrs: Attrs) => TensorSpec;
  /** Without it the result depends on no input smoothly: its gradients are zero. */
  readonly gradient?: GradientRule;
  readonly slice?: SliceRule;
  readonly indices?: IndexRule;
  /** Without it a movement has the bounds of its inputs together, and everything else those of its dtype. */
  readonly bounds?: BoundsRule;
  /** Makes it a movement: it only renames elements, and becomes strides instead of a kernel. */
  readonly view?: ViewRule;
  /** A movement that keeps the elements in row-major order, at most repeated along axes of length 1. */
  readonly ordered?: boolean;
  /** The element of the result at a position depends on those of the inputs at the same position alone. */
  readonly pointwise?: boolean;
  /** The input of a pointwise primitive of which any element may be read instead: a vector, which fused programs read by `lookup`. */
  readonly table?: number;
  /** Backends take its inputs with any strides; those of other steps that are not fused are contiguous. */
  readonly anyStrides?: boolean;
  /** The input whose memory the result may take (it must lie there in row-major order), where nobody reads that input afterwards. */
  readonly overwrites?: number;
  /** For what reaches backends as a step of its own: elementwise primitives and reductions are fused into programs, movements are views. */
  readonly reference?: ReferenceKernel;
  /** One per element of the result without it. */
  readonly flops?: FlopRule;
}
