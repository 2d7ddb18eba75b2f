import { sizeOf } from "@weft/tensor-core";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import { coordinates, strided, sumOf } from "../fused/space.js";
import type { Kernel } from "../kernel.js";
import { firstOf } from "./first.js";

/** The primitive `dynamicSlice`: bits copied out of the box. */
export const dynamicSlice: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, starts, y] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const shader = new Shader("dynamicSlice", context);
  const from = shader.input(x);
  const first = firstOf(shader, x, y.shape, attrs.axes as number[], starts);
  const { body, groups } = mapBody(shader, outputs, sizeOf(y.shape), (i) => {
    const { text, names } = coordinates(shader, y.shape, i, "c");
    return { text, values: [from.loadBits(sumOf("first", strided(shader, names, x.strides)))], bits: true };
  });
  return [shader.dispatch(`let first = ${first};\n${body}`, groups)];
};
