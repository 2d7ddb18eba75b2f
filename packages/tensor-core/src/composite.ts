import { type Composite, type CompositeNode, makeNode, type Node, Tensor } from "./graph.js";
import type { Attrs } from "./attrs.js";

export type { Composite } from "./graph.js";

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

let definitions = 0;
const definitionIds = new WeakMap<Composite, number>();

/** Tells apart definitions of one name: those that are made per call (checkpoint) or per format. */
export function definitionId(definition: Composite): number {
  const known = definitionIds.get(definition) ?? ++definitions;
  definitionIds.set(definition, known);
  return known;
}
