import { sizeOf } from "@weft/tensor-core";
import { around } from "@weft/tensor-core/program";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import type { Dispatch, Kernel } from "../kernel.js";

/**
 * The primitive `concat`, bits copied. One dispatch takes as many parts as can be bound; words that parts of two dispatches share are
 * completed by the later one.
 */
export const concat: Kernel = ({ inputs, outputs, attrs }, context) => {
  const y = outputs[0]!;
  const axis = attrs.axis as number;
  const [, n, inner] = around(y.shape, axis);
  const parts: { readonly operand: (typeof inputs)[number]; readonly start: number; readonly length: number }[] = [];
  for (const operand of inputs) {
    const before = parts[parts.length - 1];
    parts.push({ operand, start: before ? before.start + before.length : 0, length: operand.shape[axis]! });
  }
  const filled = parts.filter((p) => p.length > 0);
  const each = context.limits.maxStorageBuffers - 1;
  const dispatches: Dispatch[] = [];
  for (let at = 0; at < filled.length; at += each) {
    const shader = new Shader("concat", context);
    const mine = filled.slice(at, at + each);
    const { body, groups } = mapBody(shader, outputs, sizeOf(y.shape), (i) => {
      const line = shader.u32(n * inner);
      const choices = mine.map(({ operand, start, length }, k) => {
        const [from, size] = [shader.u32(start * inner), shader.u32(length * inner)];
        const load = shader.input(operand).loadBits(`${shader.u32(operand.offset)} + outer * ${size} + place - ${from}`);
        return `${k > 0 ? "else " : ""}if (place >= ${from} && place < ${from} + ${size}) { bits = ${load}; mine = true; }`;
      });
      return {
        text: [`let place = ${i} % ${line};`, `let outer = ${i} / ${line};`, "var bits = 0u;", "var mine = false;", ...choices].join("\n"),
        values: ["bits"],
        bits: true,
        keep: "mine",
      };
    });
    dispatches.push(shader.dispatch(body, groups));
  }
  return dispatches;
};
