import { bytesPerElement, type CompositeCall, isFloat, type Operand, type QuantLinearAttrs, sizeOf } from "@weft/tensor-core";
import { closure } from "@weft/tensor-core/program";
import type { Shader } from "../../wgsl/shader.js";
import { letValues } from "../fused/analysis.js";
import { strided, sumOf } from "../fused/space.js";
import type { CompositeKernel, KernelLimits } from "../kernel.js";
import { lowerProduct } from "../matmul/product.js";
import { matrix, type Source } from "../matmul/source.js";

/** Weights that a thread decodes together: those of a word, where codes are bytes. */
const EACH = 4;

/** Claimed where all parts can be bound beside x and the result. */
function claims({ inputs, outputs }: CompositeCall, { maxStorageBuffers, maxBinding }: KernelLimits): boolean {
  const bound = [...inputs, ...outputs].every(({ shape, dtype }) => sizeOf(shape) * bytesPerElement(dtype) <= maxBinding);
  return bound && isFloat(inputs[0]!.dtype) && inputs.length + 1 <= maxStorageBuffers;
}

/** A packed weight as a factor of a product: its elements are computed where they are read. */
function packed({ decode, transposed }: QuantLinearAttrs, parts: readonly Operand[]): Source {
  const [row, column] = transposed ? ["k", "r"] : ["r", "k"];
  const values = closure(decode, [decode.outputs[0]!.value]);
  const element = (shader: Shader): string => {
    const position = (value: number): string => {
      const i = decode.instructions[value]!;
      if (i.op === "index") return i.axis === 0 ? row! : column!;
      const { offset, strides } = parts[(i as { readonly input: number }).input]!;
      return sumOf(shader.u32(offset), strided(shader, [row!, column!], strides));
    };
    return `${letValues(shader, decode, parts, values, position)}\nreturn v${decode.outputs[0]!.value};`;
  };
  const [, width] = decode.shape as [number, number];
  return {
    operand: parts[0]!,
    batchStrides: [],
    along: transposed ? "r" : "k",
    base: () => "0u",
    element,
    ...(width % EACH === 0 && {
      word: {
        lanes: EACH,
        elements(shader) {
          shader.declare(`fn decode(r: u32, k: u32) -> f32 {\n${element(shader)}\n}`);
          const [r, k] = transposed ? [(i: number) => `r + ${i}u`, () => "k"] : [() => "r", (i: number) => `k + ${i}u`];
          return `return vec${EACH}<f32>(${[0, 1, 2, 3].map((i) => `decode(${r(i)}, ${k(i)})`).join(", ")});`;
        },
      },
    }),
  };
}

/** `quantLinear`: a product whose right factor is decoded element by element. */
export const quantLinear: CompositeKernel = {
  claims,
  lower({ inputs, outputs, attrs }, context) {
    const [x, ...parts] = inputs as [Operand, ...Operand[]];
    const [m, k] = x.shape as [number, number];
    const n = outputs[0]!.shape[1]!;
    const b = packed(attrs as QuantLinearAttrs, parts);
    return lowerProduct({ name: "quantLinear", batch: [], m, n, terms: [{ a: matrix(x, 0, 1), b, k }], output: outputs[0]! }, context);
  },
};
