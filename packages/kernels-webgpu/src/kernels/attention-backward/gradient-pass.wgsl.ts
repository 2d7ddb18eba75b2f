import { type Operand, promote } from "@weft/tensor-core";
import { Shader } from "../../wgsl/shader.js";
import { roundTo } from "../../wgsl/storage.js";
import { storeFour } from "../../wgsl/store-four.js";
import { type TileType, tileType } from "../../wgsl/tile-type.js";
import { declareLoad, declareSight, hidden, keyEnd, vectors } from "../attention/rows.js";
import type { Dispatch, KernelLimits, LowerContext } from "../kernel.js";

/** Operands of both passes. */
export interface PassCall {
  readonly q: Operand;
  readonly k: Operand;
  readonly v: Operand;
  readonly dy: Operand;
  /** L, then Δ of all query rows. */
  readonly stats: Operand;
  readonly mask: Operand | undefined;
  readonly lengths: Operand | undefined;
  readonly scale: number;
  readonly causal: boolean;
}

/** Rows that a workgroup keeps, and rows of the other side that lie in workgroup memory at a time: each thread has one pair of them. */
interface PassTile {
  readonly rows: number;
  readonly lanes: number;
}

const TILES: readonly PassTile[] = [
  { rows: 32, lanes: 8 },
  { rows: 16, lanes: 8 },
  { rows: 8, lanes: 8 },
  { rows: 8, lanes: 4 },
  { rows: 4, lanes: 4 },
];

/** The largest tile that fits into workgroup memory; undefined if none does. */
export function passTile(width: number, valueWidth: number, type: TileType, limits: KernelLimits): PassTile | undefined {
  const bytes = ({ rows, lanes }: PassTile): number =>
    type.bytes * (rows + lanes) * (vectors(width) + vectors(valueWidth) + 2) + 8 * rows * (lanes + 1);
  return TILES.find((t) => t.rows * t.lanes <= limits.maxInvocations && bytes(t) <= limits.maxWorkgroupBytes);
}

/** A tensor of rows on one side. */
interface Rows {
  readonly name: string;
  readonly operand: Operand;
  readonly width: number;
}

/**
 * One pass of the gradient of attention. A workgroup keeps rows of one side, q and dy (`query`) or k and v (`key`), in workgroup memory, and those
 * of the other pass by; a thread makes the probability P and the score's gradient dS of one pair, then adds to its part of the results:
 * dq += dS·k, or dk += dS·q and dv += P·dy. The query heads that share a key head are rows of one problem.
 */
export function gradientPass(side: "query" | "key", call: PassCall, outputs: readonly Operand[], context: LowerContext): Dispatch {
  const { q, k, v, dy, stats, mask, lengths, causal } = call;
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [, groups, keys, valueWidth] = v.shape as [number, number, number, number];
  const total = (heads / groups) * queries;
  const type = tileType(
    [q, k, v, dy].map((o) => o.dtype),
    context.limits,
  );
  const { rows, lanes } = passTile(width, valueWidth, type, context.limits)!;
  const shader = new Shader(`attentionBackward ${side} ${rows}x${lanes}`, context, rows * lanes);
  const ofQuery: Rows[] = [
    { name: "q", operand: q, width },
    { name: "dy", operand: dy, width: valueWidth },
  ];
  const ofKey: Rows[] = [
    { name: "k", operand: k, width },
    { name: "v", operand: v, width: valueWidth },
  ];
  const [own, passing] = side === "query" ? [ofQuery, ofKey] : [ofKey, ofQuery];
  const tiles = Math.ceil((side === "query" ? total : keys) / rows);
  const count = tiles * batch * groups;
  const [R, blocks, heap] = [total, tiles, batch * groups * total].map((n) => shader.u32(n)) as [string, string, string];
  const { sight, setLength } = declareSight(shader, { queries, keys, groups, lengths });
  const { S, T } = sight;
  const [N, M] = side === "query" ? [R, S] : [S, R];
  const scale = shader.f32(call.scale);
  const unseen = hidden(shader, causal, mask, sight);
  const statsAt = shader.input(stats);
  for (const { name, operand, width: w } of [...own, ...passing]) declareLoad(shader, name, shader.input(operand), w);
  const pitch = (r: Rows): number => vectors(r.width) + 1;
  const tile = lanes + 1;
  shader.declare(
    [
      ...own.map((r) => `var<workgroup> own_${r.name}: array<${type.vec4}, ${rows * pitch(r)}>;`),
      ...passing.map((r) => `var<workgroup> pass_${r.name}: array<${type.vec4}, ${lanes * pitch(r)}>;`),
      `var<workgroup> slopes: array<f32, ${rows * tile}>;`,
      ...(side === "key" ? [`var<workgroup> weights: array<f32, ${rows * tile}>;`] : []),
    ].join("\n"),
  );
  const fill = (into: string, r: Rows, lines: number, first: string, n: string): string => {
    const four = vectors(r.width);
    const w = shader.u32(r.width);
    return `for (var s = lid; s < ${lines * four}u; s += ${shader.workgroup}u) {
let j = s / ${four}u; let c = s % ${four}u;
var x = vec4<f32>();
if (${first} + j < ${n}) { x = load_${r.name}(${shader.u32(r.operand.offset)} + (slab * ${n} + ${first} + j) * ${w} + c * 4u, ${w} - c * 4u); }
${into}_${r.name}[j * ${pitch(r)}u + c] = ${type.narrow("x")};
}`;
  };
  const dot = (into: string, i: number): string =>
    `var ${into} = 0.0;\nfor (var c = 0u; c < ${vectors(own[i]!.width)}u; c++) { ${into} += dot(${type.wide(`own_${own[i]!.name}[mine * ${pitch(own[i]!)}u + c]`)}, ${type.wide(`pass_${passing[i]!.name}[lane * ${pitch(passing[i]!)}u + c]`)}); }`;
  /** Results: what is summed up for each, and by which factor of a pair. */
  const results = outputs.map((output, i) => ({
    output,
    from: passing[i]!,
    factor: i === 0 ? "slope" : "weight",
    parts: Array.from({ length: Math.ceil(vectors(passing[i]!.width) / lanes) }, (_, part) => part),
  }));
  const [query, key] = side === "query" ? ["row", "p0 + lane"] : ["(p0 + lane)", "row"];
  const body = `if (group >= ${shader.u32(count)}) { return; }
let slab = group / ${blocks};
${setLength}let row0 = (group % ${blocks}) * ${rows}u;
let mine = lid / ${lanes}u;
let lane = lid % ${lanes}u;
let row = row0 + mine;
${own.map((r) => fill("own", r, rows, "row0", N)).join("\n")}
${results.flatMap(({ parts }, i) => parts.map((part) => `var acc${i}_${part} = vec4<f32>();`)).join("\n")}
${side === "query" ? keyEnd(causal, rows, R, sight) : `let end = ${M};`}
for (var p0 = 0u; p0 < end; p0 += ${lanes}u) {
${side === "key" && causal ? skipEarly() : ""}
${passing.map((r) => fill("pass", r, lanes, "p0", M)).join("\n")}
workgroupBarrier();
${dot("score", 0)}
${dot("dweight", 1)}
let exists = row < ${N} && p0 + lane < ${M};
let at = slab * ${R} + select(0u, ${query}, exists);
let t = ${query} % ${T};
var seen = exists;
${unseen ? `if (exists) { seen = !(${unseen("t", key)}); }` : ""}
// The forward pass stores the scores in the dtype of q and k.
let weight = select(0.0, exp(${roundTo(promote(q.dtype, k.dtype), "score")} * ${scale} - ${statsAt.load("at")}), seen);
slopes[mine * ${tile}u + lane] = weight * (dweight - ${statsAt.load(`${heap} + at`)}) * ${scale};
${side === "key" ? `weights[mine * ${tile}u + lane] = weight;` : ""}
workgroupBarrier();
for (var j = 0u; j < ${lanes}u; j++) {
${results.map(({ factor }) => `let ${factor}_j = ${factor}s[mine * ${tile}u + j];`).join("\n")}
${results.flatMap(({ from, factor, parts }, i) => parts.map((part) => `acc${i}_${part} += ${factor}_j * ${type.wide(`pass_${from.name}[j * ${pitch(from)}u + min(lane + ${part * lanes}u, ${vectors(from.width) - 1}u)]`)};`)).join("\n")}
}
workgroupBarrier();
}
if (row >= ${N}) { return; }
${results.flatMap(({ output, from, parts }, i) => parts.map((part) => store(output, from.width, `acc${i}_${part}`, part))).join("\n")}`;
  return shader.dispatch(body, count);

  /** Queries before all keys of the workgroup see none of them: `p0` goes on to the next tile. */
  function skipEarly(): string {
    return `let last_pass = min(p0 + ${lanes - 1}u, ${R} - 1u);
let latest = select(${T} - 1u, last_pass % ${T}, last_pass / ${T} == p0 / ${T});
if (row0 + ${T} > latest + ${sight.length}) { continue; }`;
  }

  function store(output: Operand, w: number, acc: string, part: number): string {
    const W = shader.u32(w);
    const stores = storeFour(
      shader.output(output),
      output,
      w,
      "at",
      (e) => `col + ${e}u < ${W}`,
      (e) => `${acc}[${e}]`,
    );
    return `{ let col = (lane + ${part * lanes}u) * 4u;\nlet at = ${shader.u32(output.offset)} + (slab * ${N} + row) * ${W} + col;\n${stores}\n}`;
  }
}
