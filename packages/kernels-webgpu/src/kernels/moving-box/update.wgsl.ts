import { type Operand, sizeOf } from "@weft/tensor-core";
import { copyProgram } from "@weft/tensor-core/program";
import { Shader } from "../../wgsl/shader.js";
import { elementwise } from "../elementwise/elementwise.wgsl.js";
import { coordinates, strided, sumOf } from "../fused/space.js";
import type { Kernel } from "../kernel.js";
import { firstOf } from "./first.js";

/** The primitive `update`: the base copied, unless the result lies where it does, then the bits of `value` into the box. */
export const update: Kernel = ({ inputs, outputs, attrs }, context) => {
  const [base, value, starts] = [inputs[0]!, inputs[1]!, inputs[2]!];
  const y = outputs[0]!;
  const key = (o: Operand): string => context.binding(o.buffer).key;
  const before =
    key(base) === key(y) && base.offset === y.offset ? [] : [elementwise(copyProgram(y.shape, base.dtype), [base], [y], context)];
  const count = sizeOf(value.shape);
  if (count === 0) return before;
  const shader = new Shader("update", context);
  const [from, to] = [shader.input(value), shader.output(y)];
  const { text, names } = coordinates(shader, value.shape, "tid", "c");
  const source = sumOf(shader.u32(value.offset), strided(shader, names, value.strides));
  const target = sumOf(firstOf(shader, y, value.shape, attrs.axes as number[], starts), strided(shader, names, y.strides));
  const body = [`if (tid >= ${shader.u32(count)}) { return; }`, text, to.storeBits(target, from.loadBits(source))].join("\n");
  return [...before, shader.dispatch(body, Math.ceil(count / shader.workgroup))];
};
