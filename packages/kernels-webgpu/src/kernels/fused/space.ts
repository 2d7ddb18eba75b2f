import type { Shader } from "../../wgsl/shader.js";

/** WGSL that splits `linear` into a coordinate per axis, and the names of these. */
export function coordinates(shader: Shader, shape: readonly number[], linear: string, prefix: string): { text: string; names: string[] } {
  if (shape.length <= 1) return { text: "", names: shape.map(() => linear) };
  const names = shape.map((_, axis) => `${prefix}${axis}`);
  const lines: string[] = [];
  let rest = linear;
  for (let axis = shape.length - 1; axis > 0; axis--) {
    const d = shader.u32(shape[axis]!);
    lines.push(`let ${names[axis]} = ${rest} % ${d};`, `let ${prefix}r${axis} = ${rest} / ${d};`);
    rest = `${prefix}r${axis}`;
  }
  lines.push(`let ${names[0]} = ${rest};`);
  return { text: lines.join("\n"), names };
}

/** WGSL for Σ coordinate · stride (empty if all strides are 0). Strides 0 and 1 are part of the text, others parameters. */
export function strided(shader: Shader, names: readonly string[], strides: readonly number[]): string {
  return names
    .flatMap((name, axis) => (strides[axis] === 0 ? [] : strides[axis] === 1 ? [name] : [`${name} * ${shader.u32(strides[axis]!)}`]))
    .join(" + ");
}

/** Joins the parts of a sum that are not empty. */
export function sumOf(...parts: readonly string[]): string {
  return parts.filter((p) => p !== "").join(" + ") || "0u";
}
