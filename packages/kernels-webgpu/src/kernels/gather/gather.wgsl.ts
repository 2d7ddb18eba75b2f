import { sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import type { Kernel } from "../kernel.js";

/**
 * The primitive `gather`: rows of x by index along an axis, bits copied. A GPU cannot throw: an index outside the axis reads as 0.
 * Where x is a part of a larger table, attribute `first` is the index of its first row, and with `keep` what it does not hold is left alone.
 */
export const gather: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [x, index, y] = [inputs[0]!, inputs[1]!, outputs[0]!];
  const shader = new Shader("gather", context);
  const [, n, inner] = around(x.shape, attrs.axis as number);
  const [from, at] = [shader.input(x), shader.input(index)];
  const [picks, length, count] = [shader.u32(sizeOf(index.shape)), shader.u32(inner), shader.u32(n)];
  const first = shader.u32((attrs.first as number | undefined) ?? 0);
  const { body, groups } = mapBody(shader, outputs, sizeOf(y.shape), (i) => ({
    text: `let k = ${i} % ${length};
let line = ${i} / ${length};
let pick = u32(${at.load(`${shader.u32(index.offset)} + line % ${picks}`)}) - ${first};
var bits = 0u;
if (pick < ${count}) { bits = ${from.loadBits(`${shader.u32(x.offset)} + ((line / ${picks}) * ${count} + pick) * ${length} + k`)}; }`,
    values: ["bits"],
    bits: true,
    ...(attrs.keep && { keep: `pick < ${count}` }),
  }));
  return [shader.dispatch(body, groups)];
};
