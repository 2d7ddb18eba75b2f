import { type Operand, type Program, sizeOf } from "@weft/tensor-core";
import { closure, collapse } from "@weft/tensor-core/program";
import { mapBody } from "../../wgsl/map.js";
import { Shader } from "../../wgsl/shader.js";
import { letValues, programName, viewsOf } from "../fused/analysis.js";
import { coordinates, strided, sumOf } from "../fused/space.js";
import type { Dispatch, LowerContext } from "../kernel.js";

/**
 * A fused program without reductions as one dispatch: a thread computes one element, or as many as fill the words of its packed
 * outputs. Axes that all inputs walk through alike are one axis, so that dense operands need no division.
 */
export function elementwise(program: Program, inputs: readonly Operand[], outputs: readonly Operand[], context: LowerContext): Dispatch {
  const shader = new Shader(programName("fused", program), context);
  const values = closure(
    program,
    program.outputs.map((o) => o.value),
  );
  const views = viewsOf(program, inputs, values);
  const space = collapse(program.shape, [...views.values()]);
  const stridesOf = new Map([...views.keys()].map((value, k) => [value, space.strides[k]!]));
  const { body, groups } = mapBody(shader, outputs, sizeOf(program.shape), (i) => {
    const { text, names } = coordinates(shader, space.shape, i, "c");
    const position = (value: number): string => {
      const instruction = program.instructions[value]!;
      const offset = instruction.op === "load" ? shader.u32(inputs[instruction.input]!.offset) : "";
      return sumOf(offset, strided(shader, names, stridesOf.get(value)!));
    };
    return { text: `${text}\n${letValues(shader, program, inputs, values, position)}`, values: program.outputs.map((o) => `v${o.value}`) };
  });
  return shader.dispatch(body, groups);
}
