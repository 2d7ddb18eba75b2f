import { type CompositeNode, makeNode, type Node, Tensor } from "./graph.js";
import type { Attrs } from "./attrs.js";
import type { FlopRule, IndexRule, SliceRule } from "./primitives/primitive.js";

/**
 * A named operation that is *defined* by its decomposition into primitives (or other composites). A backend
 * may claim it with a kernel of its own, which is only ever an optimisation: without it the decomposition runs.
 */
export interface Composite {
  readonly name: string;
  readonly decompose: (inputs: readonly Tensor[], attrs: Attrs) => readonly Tensor[];
  /** Kernels take its inputs with any strides, so that what lies transposed is read where it lies. */
  readonly anyStrides?: boolean;
  /** Of a composite with one result: so that a slice of it computes only what it takes. */
  readonly slice?: SliceRule;
  /** Inputs that hold indices. Without it, those that its decomposition takes as indices. */
  readonly indices?: IndexRule;
  /** Inputs that a backend's kernel reads element by element as it writes the same elements of its results, so that these may lie there. */
  readonly overwrites?: readonly number[];
  /** Work of a backend's kernel; one operation per element of the first result without it. */
  readonly flops?: FlopRule;
  /**
   * The gradients with respect to the inputs, given those of the outputs (undefined where an output is unused). Without it
   * gradients go through the decomposition.
   */
  readonly vjp?: (
    inputs: readonly Tensor[],
    attrs: Attrs,
    outputs: readonly Tensor[],
    cotangents: readonly (Tensor | undefined)[],
  ) => readonly (Tensor | undefined)[];
}

/** A definition with the decomposition of one call, which is made when somebody asks for it. */
function decomposed(definition: Composite, inputs: readonly Tensor[], attrs: Attrs): CompositeNode {
  let made: readonly Tensor[] | undefined;
  return {
    definition,
    get decomposition() {
      return (made ??= definition.decompose(inputs, attrs));
    },
  };
}

/** Adds a call of a composite to the graph. */
export function callComposite(definition: Composite, inputs: readonly Tensor[], attrs: Attrs = {}): Tensor[] {
  const composite = decomposed(definition, inputs, attrs);
  const specs = composite.decomposition.map(({ shape, dtype }) => ({ shape, dtype }));
  const node = makeNode(definition.name, inputs, attrs, specs, { composite });
  return specs.map((_, i) => new Tensor(node, i));
}

/** The same operation on other inputs of the same shapes and dtypes. */
export function rebuildNode({ op, attrs, outputs, composite }: Node, inputs: readonly Tensor[]): Tensor[] {
  const copy = makeNode(op, inputs, attrs, outputs, composite && { composite: decomposed(composite.definition, inputs, attrs) });
  return outputs.map((_, i) => new Tensor(copy, i));
}
