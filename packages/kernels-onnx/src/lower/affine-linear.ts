import type { AffineLinearAttrs, CompositeCall } from "@weft/tensor-core";
import type { Activations, CompositeStep, Context } from "./context.js";
import type { Value } from "./value.js";

/** `accuracy_level` of the operator. */
const ACCURACY: Readonly<Record<Activations, number>> = { f32: 1, int8: 4 };

/** With x in f32 the runtime has kernels for codes of four bits alone. */
export const claimsAffineLinear = ({ attrs }: CompositeCall, activations: Activations): boolean =>
  (attrs as AffineLinearAttrs).bits === 4 || activations === "int8";

/** x·Wᵀ with integers by the runtime's operator for that; offsets of blocks by a product with the sums of x over them. */
export function lowerAffineLinear({ attrs, inputs, outputs: [output] }: CompositeStep, context: Context): void {
  const { builder: b } = context;
  const { bits, block, zeros, offsets } = attrs as AffineLinearAttrs;
  const { shape } = output!;
  const x = context.whole(inputs[0]!);
  const [rows, width] = x.shape as [number, number];
  const points = zeros ? [context.bytes(inputs[3]!)] : [];
  const name = b.graph.node(
    "MatMulNBits",
    [x.name, context.bytes(inputs[1]!), context.whole(inputs[2]!).name, ...points],
    { K: width, N: shape[1]!, bits, block_size: block, accuracy_level: ACCURACY[context.activations] },
    "com.microsoft",
  );
  const product: Value = { name, kind: "f", shape };
  if (!offsets) return context.store(output!, product);
  const offset = context.whole(inputs.at(-1)!);
  const blocks = offset.shape[1]!;
  const filled = b.reshape(b.padAxis(x, 1, 0, blocks * block - width), [rows, blocks, block]);
  const sums = b.reduce("ReduceSum", filled, [2], false);
  context.store(output!, { ...product, name: b.graph.node("Gemm", [sums.name, offset.name, product.name], { transB: 1 }) });
}
