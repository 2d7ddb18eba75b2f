import { contiguousStrides, sizeOf } from "@weft/tensor-core";
import { coordinates } from "../fused/space.js";
import type { Kernel } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import type { Source } from "../matmul/source.js";

/**
 * The primitive `conv` as a product per batch entry and group: weights [O/groups, C/groups·K] times the windows of x
 * [C/groups·K, positions], which are read where they lie: the matrix of windows is never made. Padding and the
 * zeros of input dilation read as 0.
 */
export const conv: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, w, y] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const groups = attrs.groups as number;
  const [stride, dilation, inputDilation] = [attrs.stride, attrs.dilation, attrs.inputDilation] as number[][];
  const low = (attrs.padding as number[][]).map((p) => p[0]!);
  const [size, kernel, space] = [x.shape.slice(2), w.shape.slice(2), y.shape.slice(2)];
  const [channels, perGroup, outPerGroup] = [x.shape[1]!, w.shape[1]!, w.shape[0]! / groups];
  const k = perGroup * sizeOf(kernel);
  const weights: Source = {
    operand: w,
    batchStrides: [0, outPerGroup * k],
    along: "k",
    element: (shader, ref) => `return ${ref.load(`base + r * ${shader.u32(k)} + k`)};`,
  };
  const windows: Source = {
    operand: x,
    batchStrides: [channels * sizeOf(size), perGroup * sizeOf(size)],
    along: "r",
    element: (shader, ref) => {
      const taps = shader.u32(sizeOf(kernel));
      const position = coordinates(shader, space, "r", "p");
      const tap = coordinates(shader, kernel, "t", "t");
      const strides = contiguousStrides(size);
      const lines = [`let t = k % ${taps};`, position.text, tap.text, `var at = base + (k / ${taps}) * ${shader.u32(sizeOf(size))};`];
      size.forEach((d, axis) => {
        // Before the padding is taken off, the sum is not negative; a position left of the input wraps to a large number.
        lines.push(
          `let i${axis} = ${position.names[axis]} * ${shader.u32(stride![axis]!)} + ${tap.names[axis]} * ${shader.u32(dilation![axis]!)} - ${shader.u32(low[axis]!)};`,
        );
        const between = shader.u32(inputDilation![axis]!);
        lines.push(
          `if (i${axis} >= 0x80000000u || i${axis} % ${between} != 0u || i${axis} / ${between} >= ${shader.u32(d)}) { return 0.0; }`,
        );
        lines.push(`at += (i${axis} / ${between}) * ${shader.u32(strides[axis]!)};`);
      });
      return [...lines, `return ${ref.load("at")};`].join("\n");
    },
  };
  return lowerProduct(
    { name: "conv", batch: [x.shape[0]!, groups], m: outPerGroup, n: sizeOf(space), terms: [{ a: weights, b: windows, k }], output: y },
    context,
  );
};
