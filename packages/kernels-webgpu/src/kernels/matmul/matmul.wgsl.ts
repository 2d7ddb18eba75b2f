import type { Kernel } from "../kernel.js";
import { lowerProduct } from "./product.js";
import { matrix } from "./source.js";

/** The primitive `matmul`: [batch…, m, k] · [batch…, k, n], any strides, any two float dtypes. */
export const matmul: Kernel = ({ inputs, outputs }, context) => {
  const [a, b] = [inputs[0]!, inputs[1]!];
  const rank = a.shape.length;
  const [m, n, k] = [a.shape[rank - 2]!, b.shape[rank - 1]!, a.shape[rank - 1]!];
  const terms = [{ a: matrix(a, rank - 2, rank - 1), b: matrix(b, rank - 1, rank - 2), k }];
  // Columns of a product that is made part by part.
  const pitch = outputs[0]!.strides[rank - 2]!;
  return lowerProduct(
    { name: "matmul", batch: a.shape.slice(0, -2), m, n, terms, output: outputs[0]!, ...(pitch > n && { pitch }) },
    context,
  );
};
