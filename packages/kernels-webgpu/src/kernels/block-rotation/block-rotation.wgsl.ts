import { isFloat, type Operand, sizeOf } from "@weft/tensor-core";
import type { CompositeKernel } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix } from "../matmul/source.js";

/**
 * `blockRotate`: a product per block that reads its columns of x and writes its columns of y in place, where the decomposition copies
 * the blocks back into rows. One block for all is one product, which the decomposition is already.
 */
export const blockRotate: CompositeKernel = {
  claims: ({ inputs }) => inputs.every((i) => isFloat(i.dtype)) && inputs[1]!.shape[0]! > 1,
  lower({ inputs, outputs }, context) {
    const [x, rotation] = inputs as [Operand, Operand];
    const [n, b] = rotation.shape as [number, number];
    const m = sizeOf(x.shape) / (n * b);
    // A matrix [m, b] per block, whose rows lie n·b apart.
    const blocks: Operand = { ...x, shape: [n, m, b], strides: [b, n * b, 1] };
    return lowerProduct(
      {
        name: "blockRotate",
        batch: [n],
        m,
        n: b,
        terms: [{ a: matrix(blocks, 1, 2), b: matrix(rotation, 2, 1), k: b }],
        output: outputs[0]!,
        pitch: n * b,
        batchPitch: b,
      },
      context,
    );
  },
};
