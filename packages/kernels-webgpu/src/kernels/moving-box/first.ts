import type { Operand } from "@weft/tensor-core";
import type { Shader } from "../../wgsl/shader.js";

/** WGSL for the element of a view at which a box begins, by its starts in memory: moved inside of the view. */
export function firstOf(shader: Shader, view: Operand, size: readonly number[], axes: readonly number[], starts: Operand): string {
  const from = shader.input(starts);
  const terms = axes.map((axis, k) => {
    const start = from.load(shader.u32(starts.offset + k * starts.strides[0]!));
    const last = `bitcast<i32>(${shader.u32(view.shape[axis]! - size[axis]!)})`;
    return `u32(clamp(${start}, 0, ${last})) * ${shader.u32(view.strides[axis]!)}`;
  });
  return [shader.u32(view.offset), ...terms].join(" + ");
}
