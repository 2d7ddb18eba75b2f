import type { CompositeCall } from "../backend.js";
import { callComposite, type Composite } from "../composite.js";
import { affineProduct } from "../composites/affine-linear.js";
import { packedOf } from "../composites/packed-weight.js";
import { QUANT_LINEAR, type QuantLinearAttrs } from "../composites/quant-linear.js";
import { exactJson } from "../exact-json.js";
import { type Node, type PackedPasses, placeholder, Tensor } from "../graph.js";
import { swapLast } from "../ops/movement.js";
import { expandComposites } from "../passes/expand-composites.js";
import { gatherRows } from "../passes/gather-rows.js";
import { rewriteGraph, substitute } from "../passes/rewrite.js";
import { simplifyNode } from "../passes/simplify.js";
import { sameShape } from "../shape.js";
import { packedFactor } from "./packed-factor.js";
import { Partition } from "./partition.js";
import type { Program } from "./plan.js";
import { draftOf } from "./program-builder.js";

/** How the weights of one format, shape and dtype are decoded. */
interface Decoding {
  readonly program: Program;
  readonly parts: readonly Tensor[];
  /** What the program reads, made of the parts. */
  readonly sources: readonly Tensor[];
}

/** By definition (one per format) and attributes. */
const decodings = new WeakMap<Composite, Map<string, Decoding | undefined>>();

/** The decode of a packed weight as one program over [out, in]; undefined where it does not come to one. */
function decodingOf({ attrs, inputs, outputs, composite }: Node): Decoding | undefined {
  const { definition } = composite!;
  const known = decodings.get(definition) ?? new Map<string, Decoding | undefined>();
  decodings.set(definition, known);
  const key = exactJson(attrs);
  if (!known.has(key)) {
    const parts = inputs.map(placeholder);
    const [weight] = expandComposites(definition.decompose(parts, attrs), () => false, simplifyNode) as [Tensor];
    const partition = new Partition([weight], Infinity);
    const unit = partition.unit(weight.node);
    const whole =
      unit?.fused && unit.reduced === 0 && sameShape(unit.space, outputs[0]!.shape) && !partition.view(weight).shape.includes(0);
    if (!whole) known.set(key, undefined);
    else {
      const { program, sources } = draftOf(partition, unit);
      known.set(key, { program: program([weight]), parts, sources });
    }
  }
  return known.get(key);
}

/** x·Wᵀ (`turned`) or x·W of a packed weight as one call, if the backend takes it. */
function product(x: Tensor, t: Tensor, y: Tensor, claims: (call: CompositeCall) => boolean): Tensor | undefined {
  const factor = x.shape.length === 2 ? packedFactor(t) : undefined;
  if (!factor) return undefined;
  const { format, parts, shape } = packedOf(factor.node);
  const affine = factor.turned && format.affine && affineProduct(x, format.affine, parts, shape, y, claims);
  if (affine) return affine;
  const decoding = decodingOf(factor.node);
  if (!decoding) return undefined;
  const sources = substitute(decoding.sources, decoding.parts, factor.node.inputs);
  const attrs = { decode: decoding.program, transposed: !factor.turned, dtype: y.dtype } as QuantLinearAttrs;
  const inputs = [x, ...sources];
  return claims({ name: QUANT_LINEAR.name, attrs, inputs, outputs: [y] }) ? callComposite(QUANT_LINEAR, inputs, attrs)[0] : undefined;
}

/**
 * Products with packed weights as calls that read their parts, where the backend claims those, and decoding in the loops of everything else. Slices have been
 * pushed to the parts before.
 */
function packProducts(outputs: readonly Tensor[], claims: (call: CompositeCall) => boolean, keep: (node: Node) => boolean): Tensor[] {
  const products = rewriteGraph(outputs, (node, inputs) => {
    if (node.op !== "matmul") return undefined;
    const [a, b] = inputs as [Tensor, Tensor];
    const y = new Tensor(node);
    const right = product(a, b, y, claims);
    if (right) return [right];
    // W on the left: (W·b)ᵀ = bᵀ·Wᵀ.
    if (b.shape.length !== 2) return undefined;
    const left = product(swapLast(b), swapLast(a), swapLast(y), claims);
    return left && [swapLast(left)];
  });
  return expandComposites(products, keep, simplifyNode);
}

/** What plans make of packed weights. */
export const PACKED_PASSES: PackedPasses = { gatherRows, packProducts };
