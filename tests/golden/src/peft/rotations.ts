import {
  type AdapterContext,
  type AdapterMethod,
  arange,
  butterfly,
  cast,
  equal,
  iota,
  type LayerSpec,
  type Params,
  type Shape,
  stack,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";

/**
 * What PEFT's `get_delta_weight` returns of a method that rotates: what the method makes of the identity. OFT and BOFT return the rotation
 * of the input, which the weights of all but embeddings take transposed; HRA that of the weight.
 */
export function rotationMatrix(method: AdapterMethod<never>, params: Params, context: AdapterContext<never>, n: number): Tensor {
  const { kind, dtype } = (context as AdapterContext<unknown>).layer;
  const layer: LayerSpec = { kind: kind === "embedding" ? kind : "linear", shape: [n, n], dtype, bias: false };
  const identity = cast(equal(iota([n, n], 0), iota([n, n], 1)), "f32");
  const turned = method.transform!(identity, params, { ...(context as object), layer } as never, identity)!;
  return method.name === "HRA" || kind === "embedding" ? turned : swapLast(turned);
}

/** The columns of the ones in BOFT's permutation matrices Pᵢ [m, n]. @param R the shape [m, D, b, b] of its parameter */
export function butterflyIndices([m, , blockSize]: Shape, n: number): Tensor {
  const indices = (stage: number): Tensor => (stage === 0 ? arange(n) : butterfly(arange(n), { blockSize: blockSize!, stage }));
  return cast(stack(Array.from({ length: m! }, (_, stage) => indices(stage))), "f32");
}
