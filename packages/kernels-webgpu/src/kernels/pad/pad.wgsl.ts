import { contiguousStrides, sizeOf } from "@weft/tensor-core";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import { coordinates } from "../fused/space.js";
import type { Kernel } from "../kernel.js";

/** The primitive `pad`: a constant around x. */
export const pad: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, y] = [inputs[0]!, outputs[0]!];
  const low = attrs.low as number[];
  const shader = new Shader("pad", context);
  const from = shader.input(x);
  const strides = contiguousStrides(x.shape);
  const { body, groups } = mapBody(shader, outputs, sizeOf(y.shape), (i) => {
    const { text, names } = coordinates(shader, y.shape, i, "c");
    const lines = [
      text,
      `var value = ${shader.constant(attrs.value as number, y.dtype)};`,
      "var inside = true;",
      `var at = ${shader.u32(x.offset)};`,
    ];
    // A coordinate in front of x wraps to a large number.
    names.forEach((name, axis) =>
      lines.push(
        `{ let c = ${name} - ${shader.u32(low[axis]!)}; inside = inside && c < ${shader.u32(x.shape[axis]!)}; at += c * ${shader.u32(strides[axis]!)}; }`,
      ),
    );
    return { text: [...lines, `if (inside) { value = ${from.load("at")}; }`].join("\n"), values: ["value"] };
  });
  return [shader.dispatch(body, groups)];
};
