import { isContiguous, type Operand } from "@weft/tensor-core";
import { copyProgram } from "@weft/tensor-core/program";
import type { Shader, TensorRef } from "../../wgsl/shader.js";
import { lowerFused } from "../fused/fused.js";
import type { Dispatch, LowerContext } from "../kernel.js";

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

/** Operands without gaps: what lies in another order is copied by a dispatch that is added to `before`. */
export function dense(operands: readonly Operand[], context: LowerContext, before: Dispatch[]): Operand[] {
  return operands.map((x) => {
    if (isContiguous(x.shape, x.strides)) return x;
    const copy = context.temporary(x.shape, x.dtype);
    before.push(...lowerFused(copyProgram(x.shape, x.dtype), [x], [copy], context));
    return copy;
  });
}

/** Sizes of one call as parameters: T, the key heads of a batch entry, and S; `length` is S, or how many keys count in the slab at hand. */
export interface Sight {
  readonly T: string;
  readonly S: string;
  readonly groups: string;
  readonly length: string;
}

/** The sizes, and WGSL that sets `length` where `slab` is known. */
export function declareSight(
  shader: Shader,
  {
    queries,
    keys,
    groups,
    lengths,
  }: { readonly queries: number; readonly keys: number; readonly groups: number; readonly lengths: Operand | undefined },
): { readonly sight: Sight; readonly setLength: string } {
  const [T, S, G] = [queries, keys, groups].map((n) => shader.u32(n)) as [string, string, string];
  const sight = { T, S, groups: G, length: lengths ? "length" : S };
  if (!lengths) return { sight, setLength: "" };
  const at = `${shader.u32(lengths.offset)} + slab / ${G}`;
  // The same for the whole workgroup, which loads from buffers of the arena are not known to be.
  shader.declare("var<workgroup> held_length: u32;");
  const load = `u32(max(${shader.input(lengths).load(at)}, 0))`;
  return { sight, setLength: `if (lid == 0u) { held_length = ${load}; }\nlet length = workgroupUniformLoad(&held_length);\n` };
}

/**
 * WGSL (bool) for: the query at position `t` of batch entry slab / groups does not see key `key`.
 * @returns undefined if everything is seen
 */
export function hidden(
  shader: Shader,
  causal: boolean,
  mask: Operand | undefined,
  { T, S, groups, length }: Sight,
): ((t: string, key: string) => string) | undefined {
  if (!causal && !mask && length === S) return undefined;
  const ref = mask && shader.input(mask);
  const [mb, mt, ms] = mask ? maskStrides(mask).map((s) => shader.u32(s)) : [];
  const start = mask && shader.u32(mask.offset);
  return (t, key) =>
    [
      ...(causal ? [`${key} + ${T} > ${t} + ${length}`] : length === S ? [] : [`${key} >= ${length}`]),
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
export function keyEnd(causal: boolean, rows: number, R: string, { T, S, length }: Sight): string {
  if (!causal) return length === S ? `let end = ${S};` : `let end = min(${S}, ${length});`;
  return `let last_row = min(row0 + ${rows - 1}u, ${R} - 1u);
let last_t = select(${T} - 1u, last_row % ${T}, last_row / ${T} == row0 / ${T});
let end = min(${S}, select(0u, last_t + ${length} + 1u - ${T}, last_t + ${length} + 1u > ${T}));`;
}
