import type { Operand } from "@weft/tensor-core";
import type { Shader, TensorRef } from "../../wgsl/shader.js";

/** Widest head: a thread keeps a part of an output row in registers. */
export const MAX_WIDTH = 256;
/** What the decomposition puts in place of scores that are not seen: the smallest f32. */
export const MASKED = -3.4028234663852886e38;

/** vec4s of a row. */
export const vectors = (width: number): number => Math.ceil(width / 4);

/** `load_q` and its like: four neighbours of a row as f32, 0 from `left` on. */
export function declareLoad(shader: Shader, name: string, ref: TensorRef, width: number): void {
  const parts = [0, 1, 2, 3].map((i) =>
    width % 4 === 0 ? `v[${i}] = ${ref.load(`at + ${i}u`)};` : `if (left > ${i}u) { v[${i}] = ${ref.load(`at + ${i}u`)}; }`,
  );
  shader.declare(`fn load_${name}(at: u32, left: u32) -> vec4<f32> {\nvar v = vec4<f32>();\n${parts.join("\n")}\nreturn v;\n}`);
}

/** Sizes of one call as parameters: T and S, and the key heads of a batch entry. */
export interface Sight {
  readonly T: string;
  readonly S: string;
  readonly groups: string;
}

/**
 * WGSL (bool) for: the query at position `t` of batch entry slab / groups does not see key `key`.
 * @returns undefined if everything is seen
 */
export function hidden(
  shader: Shader,
  causal: boolean,
  mask: Operand | undefined,
  { T, S, groups }: Sight,
): ((t: string, key: string) => string) | undefined {
  if (!causal && !mask) return undefined;
  const ref = mask && shader.input(mask);
  const [mb, mt, ms] = mask ? maskStrides(mask).map((s) => shader.u32(s)) : [];
  const start = mask && shader.u32(mask.offset);
  return (t, key) =>
    [
      ...(causal ? [`${key} + ${T} > ${t} + ${S}`] : []),
      ...(ref ? [`${ref.load(`${start} + (slab / ${groups}) * ${mb} + ${t} * ${mt} + (${key}) * ${ms}`)} == 0`] : []),
    ].join(" || ");
}

/** Strides of batch, query and key in a mask that broadcasts to [B, 1, T, S]. */
function maskStrides({ shape, strides }: Operand): [number, number, number] {
  const at = (fromEnd: number): number => {
    const axis = shape.length - fromEnd;
    return axis >= 0 && shape[axis] !== 1 ? strides[axis]! : 0;
  };
  return [at(4), at(2), at(1)];
}

/** WGSL that sets `end`: where the keys end that any of `rows` query rows from `row0` on may see (row r is position r % T). */
export function keyEnd(causal: boolean, rows: number, R: string, { T, S }: Sight): string {
  if (!causal) return `let end = ${S};`;
  return `let last_row = min(row0 + ${rows - 1}u, ${R} - 1u);
let last_t = select(${T} - 1u, last_row % ${T}, last_row / ${T} == row0 / ${T});
let end = min(${S}, select(0u, last_t + ${S} + 1u - ${T}, last_t + ${S} + 1u > ${T}));`;
}
