import { attentionLimits, type DType, isFloat, type Operand, promote } from "@weft/tensor-core";
import { operation } from "../../wgsl/library.js";
import { Shader } from "../../wgsl/shader.js";
import { roundTo } from "../../wgsl/storage.js";
import { storeFour } from "../../wgsl/store-four.js";
import { type TileType, tileType } from "../../wgsl/tile-type.js";
import type { CompositeKernel, KernelLimits } from "../kernel.js";
import type { Dispatch } from "../kernel.js";
import { declareLoad, declareSight, dense, hidden, keyEnd, MASKED, MAX_WIDTH, vectors } from "./rows.js";

/** Keys that lie in workgroup memory at a time, and threads that share a query row. */
const KEYS = 16;
const LANES = 8;

/** q, k and v share tiles. */
const typeOf = (inputs: readonly { readonly dtype: DType }[], limits: KernelLimits): TileType =>
  tileType(
    inputs.slice(0, 3).map((i) => i.dtype),
    limits,
  );

/** Query rows per workgroup: as many as fit into workgroup memory with a tile of keys or values. */
function queryRows(width: number, valueWidth: number, type: TileType, limits: KernelLimits): number | undefined {
  const bytes = (rows: number): number =>
    type.bytes * (rows * (vectors(width) + 1) + KEYS * (Math.max(vectors(width), vectors(valueWidth)) + 1)) + 4 * rows * (KEYS + 1);
  return [32, 16, 8].find((rows) => rows * LANES <= limits.maxInvocations && bytes(rows) <= limits.maxWorkgroupBytes);
}

/**
 * `attention` in the form of FlashAttention: keys and values pass by in tiles, with a running maximum and sum per row, so that
 * scores never lie in memory. The query heads that share a key head are rows of one problem. Keys that `causal` hides
 * from all rows of a workgroup are not read. The second output is what `attentionBackward` makes the scores' exponentials again from.
 * @see Dao et al. 2022, algorithm 1
 */
export const attention: CompositeKernel = {
  claims({ inputs }, limits) {
    const [width, valueWidth] = [inputs[0]!.shape[3]!, inputs[2]!.shape[3]!];
    return (
      inputs.every((i, at) => isFloat(i.dtype) || at >= 3) &&
      Math.max(width, valueWidth) <= MAX_WIDTH &&
      queryRows(width, valueWidth, typeOf(inputs, limits), limits) !== undefined
    );
  },
  lower({ inputs, outputs, attrs }, context) {
    const before: Dispatch[] = [];
    const [q, k, v] = dense(inputs.slice(0, 3), context, before) as [Operand, Operand, Operand];
    const { mask, lengths: given } = attentionLimits(inputs);
    const [lengths] = dense(given ? [given] : [], context, before);
    const [y, logs] = outputs as [Operand, Operand];
    const causal = attrs.causal as boolean;
    const [batch, heads, queries, width] = q.shape as [number, number, number, number];
    const [, groups, keys, valueWidth] = v.shape as [number, number, number, number];
    const type = typeOf(inputs, context.limits);
    const rows = queryRows(width, valueWidth, type, context.limits)!;
    const shader = new Shader(`attention ${rows}x${KEYS}`, context, rows * LANES);
    const [d4, v4] = [vectors(width), vectors(valueWidth)];
    const [qPitch, pitch] = [d4 + 1, Math.max(d4, v4) + 1];
    const tile = KEYS + 1;
    const own = Math.ceil(v4 / LANES);
    const total = (heads / groups) * queries;
    const tiles = Math.ceil(total / rows);
    const count = tiles * batch * groups;
    /** Some row may see no key; it gives zeros. */
    const blind = inputs.length > 3 || keys === 0 || (causal && queries > keys);
    [
      ["q", q, width],
      ["k", k, width],
      ["v", v, valueWidth],
    ].forEach(([name, operand, w]) => declareLoad(shader, name as string, shader.input(operand as Operand), w as number));
    const out = shader.output(y);
    const [R, D, DV, ends] = [total, width, valueWidth, tiles].map((n) => shader.u32(n)) as [string, string, string, string];
    const scale = shader.f32(attrs.scale as number);
    const [lowest, infinity] = [shader.f32(MASKED), shader.f32(Infinity)];
    const { sight, setLength } = declareSight(shader, { queries, keys, groups, lengths });
    const { S, T } = sight;
    const unseen = hidden(shader, causal, mask, sight);
    const outLogs = shader.output(logs);
    shader.declare(
      `var<workgroup> tile_q: array<${type.vec4}, ${rows * qPitch}>;\nvar<workgroup> tile_kv: array<${type.vec4}, ${KEYS * pitch}>;\nvar<workgroup> scores: array<f32, ${rows * tile}>;`,
    );
    const each = Array.from({ length: own }, (_, i) => i);
    const fill = (
      name: string,
      operand: Operand,
      n: string,
      w: string,
      count4: number,
    ): string => `for (var s = lid; s < ${KEYS * count4}u; s += ${shader.workgroup}u) {
let j = s / ${count4}u; let c = s % ${count4}u;
var x = vec4<f32>();
if (k0 + j < ${S}) { x = load_${name}(${shader.u32(operand.offset)} + (slab * ${n} + k0 + j) * ${w} + c * 4u, ${w} - c * 4u); }
tile_kv[j * ${pitch}u + c] = ${type.narrow("x")};
}`;
    const log = operation("log", "f32", ["total"]);
    const body = `if (group >= ${shader.u32(count)}) { return; }
let slab = group / ${ends};
${setLength}let row0 = (group % ${ends}) * ${rows}u;
let mine = lid / ${LANES}u;
let lane = lid % ${LANES}u;
let row = row0 + mine;
let t = row % ${T};
for (var s = lid; s < ${rows * d4}u; s += ${shader.workgroup}u) {
let r = s / ${d4}u; let c = s % ${d4}u;
var x = vec4<f32>();
if (row0 + r < ${R}) { x = load_q(${shader.u32(q.offset)} + (slab * ${R} + row0 + r) * ${D} + c * 4u, ${D} - c * 4u); }
tile_q[r * ${qPitch}u + c] = ${type.narrow("x")};
}
var top = ${lowest};
var total = 0.0;
${each.map((i) => `var acc${i} = vec4<f32>();`).join("\n")}
${keyEnd(causal, rows, R, sight)}
for (var k0 = 0u; k0 < end; k0 += ${KEYS}u) {
${fill("k", k, S, D, d4)}
workgroupBarrier();
${Array.from({ length: KEYS / LANES }, (_, i) => score(i)).join("\n")}
workgroupBarrier();
var high = top;
for (var j = 0u; j < ${KEYS}u; j++) { if (k0 + j < ${S}) { high = w_max(high, scores[mine * ${tile}u + j]); } }
let fade = exp(top - high);
top = high;
workgroupBarrier();
${Array.from({ length: KEYS / LANES }, (_, i) => `scores[mine * ${tile}u + lane + ${i * LANES}u] = select(0.0, exp(s${i} - high), ${blind && unseen ? `seen${i} && ` : ""}k0 + lane + ${i * LANES}u < ${S});`).join("\n")}
${fill("v", v, S, DV, v4)}
workgroupBarrier();
total *= fade;
${each.map((i) => `acc${i} *= fade;`).join("\n")}
for (var j = 0u; j < ${KEYS}u; j++) {
let p = scores[mine * ${tile}u + j];
total += p;
${each.map((i) => `acc${i} += p * ${type.wide(`tile_kv[j * ${pitch}u + min(lane + ${i * LANES}u, ${v4 - 1}u)]`)};`).join("\n")}
}
workgroupBarrier();
}
if (row >= ${R}) { return; }
if (lane == 0u) { ${outLogs.store(`${shader.u32(logs.offset)} + slab * ${R} + row`, blind ? `select(top + ${log}, ${infinity}, total == 0.0)` : `top + ${log}`)} }
${each.map((i) => store(i)).join("\n")}`;
    return [...before, shader.dispatch(body, count)];

    function score(i: number): string {
      const dtype = promote(q.dtype, k.dtype);
      const lines = [
        `let j${i} = lane + ${i * LANES}u;`,
        `var d${i} = 0.0;`,
        `for (var c = 0u; c < ${d4}u; c++) { d${i} += dot(${type.wide(`tile_q[mine * ${qPitch}u + c]`)}, ${type.wide(`tile_kv[j${i} * ${pitch}u + c]`)}); }`,
        // The decomposition stores the scores in the dtype of q and k.
        `var s${i} = ${roundTo(dtype, `d${i}`)} * ${scale};`,
      ];
      if (unseen) lines.push(`let seen${i} = !(${unseen("t", `k0 + j${i}`)});`, `if (!seen${i}) { s${i} = ${lowest}; }`);
      return [...lines, `scores[mine * ${tile}u + j${i}] = s${i};`].join("\n");
    }

    function store(i: number): string {
      const column = `(lane + ${i * LANES}u) * 4u`;
      const stores = storeFour(
        out,
        y,
        valueWidth,
        "at",
        (e) => `col + ${e}u < ${DV}`,
        (e) => (blind ? `select(acc${i}[${e}] / total, 0.0, total == 0.0)` : `(acc${i}[${e}] / total)`),
      );
      return `{ let col = ${column};\nlet at = ${shader.u32(y.offset)} + (slab * ${R} + row) * ${DV} + col;\n${stores}\n}`;
    }
  },
};
