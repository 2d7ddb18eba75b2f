import { sizeOf } from "@weft/tensor-core";
import { collapse } from "@weft/tensor-core/program";
import { DEFAULT_TUNING, type TileSize } from "../../tuning/tuning.js";
import { Shader } from "../../wgsl/shader.js";
import { storeFour } from "../../wgsl/store-four.js";
import { type TileType, tileType } from "../../wgsl/tile-type.js";
import { coordinates, strided, sumOf } from "../fused/space.js";
import type { Dispatch, KernelLimits, LowerContext } from "../kernel.js";
import type { Product, Source } from "./source.js";

/** A tile of the output per workgroup. Larger ones read less memory per multiplication, smaller ones keep more workgroups busy. */
export interface Tile extends TileSize {
  readonly rows: number;
  readonly columns: number;
}

const sized = (t: TileSize): Tile => ({ ...t, rows: 4 * t.threads * t.blocks, columns: 4 * t.threads * t.blocks });

/** The largest tile that still gives enough workgroups, else the smallest. */
export function tileFor({ m, n, batch }: Product, limits: KernelLimits): Tile {
  const { tiles, enoughGroups } = (limits.tuning ?? DEFAULT_TUNING).gemm;
  const fitting = tiles.filter((t) => t.threads ** 2 <= limits.maxInvocations).map(sized);
  const groups = (t: Tile): number => Math.ceil(m / t.rows) * Math.ceil(n / t.columns) * sizeOf(batch);
  return fitting.find((t) => groups(t) >= enoughGroups) ?? fitting[fitting.length - 1]!;
}

/**
 * Names of loaders and of the batch offsets of all sources of a product, declared in `shader`.
 * @param words sources that have whole words also get a loader of those, whose name ends in `_word`
 */
export function declareSources(
  shader: Shader,
  p: Product,
  words = false,
): { text: string; loaders: readonly { a: string; b: string; k: string }[] } {
  const sources = p.terms.flatMap(({ a, b }) => [a, b]);
  const space = collapse(
    p.batch,
    sources.map((s) => s.batchStrides),
  );
  const at = coordinates(shader, space.shape, "batch", "z");
  const [m, n] = [shader.u32(p.m), shader.u32(p.n)];
  const lines = [at.text];
  const loader = (s: Source, name: string, rows: string, index: number): string => {
    const ref = shader.input(s.operand);
    shader.declare(
      `fn ${name}(base: u32, r: u32, k: u32, end: u32) -> f32 {\nif (r >= ${rows} || k >= end) { return 0.0; }\n${s.element(shader, ref)}\n}`,
    );
    if (words && s.word)
      shader.declare(
        `fn ${name}_word(base: u32, r: u32, k: u32, end: u32) -> vec${s.word.lanes}<f32> {\nif (r >= ${rows} || k >= end) { return vec${s.word.lanes}<f32>(); }\n${s.word.elements(shader, ref)}\n}`,
      );
    const base = s.base?.(shader, "batch") ?? sumOf(shader.u32(s.operand.offset), strided(shader, at.names, space.strides[index]!));
    lines.push(`let base_${name} = ${base};`);
    return name;
  };
  const loaders = p.terms.map(({ a, b, k }, t) => ({
    a: loader(a, `load_a${t}`, m, 2 * t),
    b: loader(b, `load_b${t}`, n, 2 * t + 1),
    k: shader.u32(k),
  }));
  return { text: lines.join("\n"), loaders };
}

/**
 * A product of matrices by tiles: both factors of a step of k lie in workgroup memory, transposed so that four rows (columns) are
 * one vec4; each thread keeps 4×4 blocks of the result in registers. Any strides, dtypes and edges.
 * @param cuts with more than one, the result is a partial sum [cuts, batch…, m, n] per piece of k
 */
export function gemm(p: Product, t: Tile, context: LowerContext, cuts = 1): Dispatch {
  const shader = new Shader(`${p.name} ${t.rows}x${t.columns}`, context, t.threads ** 2);
  const { text, loaders } = declareSources(shader, p);
  const vectors = t.threads * t.blocks;
  // One more vec4 per line than needed: threads that write a column of the tile then hit different banks.
  const pitch = vectors + 1;
  const typeOf = (side: "a" | "b"): TileType =>
    tileType(
      p.terms.map((term) => term[side].dtype),
      shader.limits,
    );
  const [typeA, typeB] = [typeOf("a"), typeOf("b")];
  shader.declare(
    `var<workgroup> tile_a: array<${typeA.vec4}, ${pitch * t.depth}>;\nvar<workgroup> tile_b: array<${typeB.vec4}, ${pitch * t.depth}>;`,
  );
  const tiles = [Math.ceil(p.m / t.rows), Math.ceil(p.n / t.columns)] as const;
  const perBatch = shader.u32(tiles[0] * tiles[1]);
  const groups = tiles[0] * tiles[1] * sizeOf(p.batch) * cuts;
  const cutLength = cuts > 1 ? shader.u32(Math.ceil(p.terms[0]!.k / cuts / t.depth) * t.depth) : "";
  const range = [...Array(t.blocks).keys()];
  const lines = [
    `if (group >= ${shader.u32(groups)}) { return; }`,
    `let tile = group % ${perBatch};`,
    cuts > 1
      ? `let slab = group / ${perBatch};\nlet batch = slab % ${shader.u32(sizeOf(p.batch))};\nlet cut = slab / ${shader.u32(sizeOf(p.batch))};`
      : `let batch = group / ${perBatch};\nlet slab = batch;`,
    `let row0 = (tile / ${shader.u32(tiles[1])}) * ${t.rows}u;`,
    `let col0 = (tile % ${shader.u32(tiles[1])}) * ${t.columns}u;`,
    `let ty = lid / ${t.threads}u;`,
    `let tx = lid % ${t.threads}u;`,
    text,
    ...range.flatMap((i) => range.flatMap((j) => [0, 1, 2, 3].map((r) => `var acc${i}${j}${r} = vec4<f32>();`))),
    ...loaders.flatMap(({ a, b, k }, term) => [
      `{ let begin = ${cuts > 1 ? `cut * ${cutLength}` : "0u"};`,
      `let end = ${cuts > 1 ? `min(begin + ${cutLength}, ${k})` : k};`,
      `for (var k0 = begin; k0 < end; k0 += ${t.depth}u) {`,
      fill("tile_a", typeA, a, "row0", p.terms[term]!.a.along),
      fill("tile_b", typeB, b, "col0", p.terms[term]!.b.along),
      "workgroupBarrier();",
      `for (var kk = 0u; kk < ${t.depth}u; kk++) {`,
      ...range.flatMap((i) => [
        `let fa${i} = ${typeA.wide(`tile_a[kk * ${pitch}u + ty + ${i * t.threads}u]`)};`,
        `let fb${i} = ${typeB.wide(`tile_b[kk * ${pitch}u + tx + ${i * t.threads}u]`)};`,
      ]),
      ...range.flatMap((i) => range.flatMap((j) => ["x", "y", "z", "w"].map((c, r) => `acc${i}${j}${r} += fa${i}.${c} * fb${j};`))),
      "}",
      "workgroupBarrier();",
      "} }",
    ]),
    ...range.flatMap((i) =>
      range.flatMap((j) =>
        [0, 1, 2, 3].map(
          (r) => `store4(slab, row0 + (ty + ${i * t.threads}u) * 4u + ${r}u, col0 + (tx + ${j * t.threads}u) * 4u, acc${i}${j}${r});`,
        ),
      ),
    ),
  ];
  declareStore(shader, p);
  return shader.dispatch(lines.join("\n"), groups);

  function fill(into: string, type: TileType, load: string, origin: string, along: "r" | "k"): string {
    const split = along === "k" ? `let k = s % ${t.depth}u; let v = s / ${t.depth}u;` : `let v = s % ${vectors}u; let k = s / ${vectors}u;`;
    const element = (i: number): string => `${load}(base_${load}, ${origin} + v * 4u + ${i}u, k0 + k, end)`;
    return `for (var s = lid; s < ${vectors * t.depth}u; s += ${shader.workgroup}u) {\n${split}\n${into}[k * ${pitch}u + v] = ${type.narrow(`vec4<f32>(${[0, 1, 2, 3].map(element).join(", ")})`)};\n}`;
  }
}

/** WGSL for the element number, within the output, of the first element of a stored row. */
export function rowStart(shader: Shader, { batchPitch }: Product, batch: string, row: string, rows: string, pitch: string): string {
  return batchPitch === undefined ? `(${batch} * ${rows} + ${row}) * ${pitch}` : `${batch} * ${shader.u32(batchPitch)} + ${row} * ${pitch}`;
}

/** `store4`: four neighbours of a row of the result. */
function declareStore(shader: Shader, p: Product): void {
  const out = shader.output(p.output);
  const [m, n, pitch, offset] = [p.m, p.n, p.pitch ?? p.n, p.output.offset].map((v) => shader.u32(v)) as [string, string, string, string];
  const finish = p.epilogue?.(shader);
  const value = (i: number): string => (finish ? finish(`v[${i}]`, "batch", "row", `(col + ${i}u)`) : `v[${i}]`);
  const stores = storeFour(out, p.output, p.n % 4 === 0 ? (p.pitch ?? p.n) : p.n, "at", (i) => `col + ${i}u < ${n}`, value);
  shader.declare(
    `fn store4(batch: u32, row: u32, col: u32, v: vec4<f32>) {\nif (row >= ${m}) { return; }\nlet at = ${offset} + ${rowStart(shader, p, "batch", "row", m, pitch)} + col;\n${stores}\n}`,
  );
}
