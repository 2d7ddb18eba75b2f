import { ADAPTER_METHODS } from "@weft/methods";
import { join } from "node:path";
import { openWeights } from "@weft/io-safetensors/node";
import type { LayerSpec } from "@weft/tensor-core";
import { beforeAll, describe, expect, it } from "vitest";
import { FileSet } from "../node/file-set.js";
import { temporaryFolder } from "../testing/folders.js";
import { f32, type StoredTensor, writeTensors } from "../testing/write-tensors.js";
import { TileEngine } from "../run/engine.js";
import type { TensorJob, Place, MergeOp, TensorLocation } from "./tensor-job.js";
import { runJob } from "../run/run-job.js";
import { TileMemory } from "../run/tile-memory.js";
import { createTileBackend } from "./tile-backend.js";
import { kindsOf, planJobs } from "./plan-jobs.js";
import { sectionsOf } from "./sections.js";

const folder = temporaryFolder();
const file = join(folder, "all.safetensors");
const value = (seed: number) => (i: number) => Math.fround(Math.sin(seed * 97 + i * 1.3));
const SHAPES: { readonly [name: string]: readonly number[] } = {
  fused: [12, 4], // query, key, value: 4 rows each
  stack: [3, 4, 5], // three experts, [in 4, out 5]
  "a.q": [2, 4],
  "b.q": [4, 2],
  "a.all": [2, 4],
  "b.all": [12, 2],
  "a.expert": [2, 4],
  "b.expert": [5, 2],
  "a.experts": [6, 4],
  "b.experts": [5, 6],
  m: [4],
  "a.wide": [2, 12],
  "b.wide": [4, 2],
  half: [6, 4],
};
const seeds = Object.keys(SHAPES);
const numbers = (name: string): number[] =>
  Array.from({ length: SHAPES[name]!.reduce((a, b) => a * b) }, (_, i) => value(seeds.indexOf(name))(i));
let at: (name: string) => TensorLocation;
let run: (item: TensorJob, tileBytes?: number) => Promise<number[]>;

beforeAll(async () => {
  await writeTensors(file, new Map(seeds.map((name): [string, StoredTensor] => [name, f32(SHAPES[name]!, value(seeds.indexOf(name)))])));
  const weights = await openWeights(file);
  at = (name) => weights.info(name);
  const backend = await createTileBackend();
  run = async (item, tileBytes = 48) => {
    const bytes = Buffer.alloc(item.bytes);
    const sink = {
      async write(_: TensorJob, memory: Uint8Array, start: number, length: number, to: number): Promise<void> {
        bytes.set(memory.subarray(start, start + length), to);
      },
    };
    const job = {
      backend,
      engine: new TileEngine(
        backend,
        planJobs(kindsOf([item]), ADAPTER_METHODS, tileBytes, true, (call) => backend.claims(call)),
        true,
      ),
      files: new FileSet(),
      sink,
      tileBytes,
      allowNonFinite: false,
      stats: true,
      stopped: () => false,
      progress: () => {},
    };
    await runJob(item, job, new TileMemory(backend));
    return [...new Float32Array(bytes.buffer, bytes.byteOffset, item.bytes / 4)];
  };
});

const lora = (
  layer: LayerSpec,
  a: string,
  b: string,
  place?: Place,
  extra: { readonly m?: string; readonly config?: object } = {},
): MergeOp => ({
  method: "LORA",
  config: { r: 2, loraAlpha: 2, useRslora: false, useDora: false, loraBias: false, ...extra.config },
  layer,
  scale: 1,
  safeMerge: false,
  autocastAdapterDtype: true,
  kind: "weight",
  params: { A: at(a), B: at(b), ...(extra.m && { magnitude: at(extra.m) }) },
  ...(place && { place }),
});
const linear = (shape: readonly number[]): LayerSpec => ({ kind: "linear", shape, dtype: "f32", bias: false });
const item = (name: string, steps: readonly MergeOp[]): TensorJob => {
  const source = at(name);
  return { name, shard: 0, offset: 0, bytes: source.bytes, dtype: "F32", shape: source.shape, source, steps, patches: [] };
};
const rows = (from: number, to: number): Place => ({ shape: [to - from, 4], within: [[from, to], [0, 4]], of: [[0, to - from], [0, 4]], transposed: false }); // prettier-ignore

/** Σ_r b[o,r]·a[r,i] */
const product = (b: (r: number) => number, a: (r: number) => number): number => b(0) * a(0) + b(1) * a(1);
const near = (got: readonly number[], want: readonly number[]): void => want.forEach((v, i) => expect(got[i], `${i}`).toBeCloseTo(v, 5));

describe("a tensor of which a step changes a part", () => {
  it("rows of a fused projection, and all of it, in a row", async () => {
    const [a, b, wholeA, wholeB] = ["a.q", "b.q", "a.all", "b.all"].map(numbers) as [number[], number[], number[], number[]];
    const steps = [lora(linear([4, 4]), "a.q", "b.q", rows(4, 8)), lora(linear([12, 4]), "a.all", "b.all")];
    const want = numbers("fused").map((w, k) => {
      const [o, i] = [Math.floor(k / 4), k % 4];
      const all = product((r) => wholeB[o * 2 + r]!, (r) => wholeA[r * 4 + i]!); // prettier-ignore
      return w + all + (o >= 4 && o < 8 ? product((r) => b[(o - 4) * 2 + r]!, (r) => a[r * 4 + i]!) : 0); // prettier-ignore
    });
    near(await run(item("fused", steps)), want);
    expect(sectionsOf(item("fused", steps)).map(({ offset, bytes, steps: own }) => [offset, bytes, own.length])).toEqual([[0, 64, 1], [64, 64, 2], [128, 64, 1]]); // prettier-ignore
  });

  it("one expert of a stack, turned, and experts of a larger stack", async () => {
    const [a, b, allA, allB] = ["a.expert", "b.expert", "a.experts", "b.experts"].map(numbers) as [number[], number[], number[], number[]];
    const one: Place = { shape: [5, 4], within: [[1, 2], [0, 4], [0, 5]], of: [[0, 5], [0, 4]], transposed: true }; // prettier-ignore
    const all: LayerSpec = { kind: "parameter", shape: [3, 4, 5], dtype: "f32", bias: false, transposed: true };
    const steps = [lora(linear([5, 4]), "a.expert", "b.expert", one), lora(all, "a.experts", "b.experts")];
    const want = numbers("stack").map((w, k) => {
      const [e, i, o] = [Math.floor(k / 20), Math.floor(k / 5) % 4, k % 5];
      const stacked = product((r) => allB[o * 6 + r * 3 + e]!, (r) => allA[(e * 2 + r) * 4 + i]!); // prettier-ignore
      return w + stacked + (e === 1 ? product((r) => b[o * 2 + r]!, (r) => a[r * 4 + i]!) : 0); // prettier-ignore
    });
    near(await run(item("stack", steps)), want);
  });
});

describe("a tensor that is a part of the weight that a step changes", () => {
  const half = (from: number): Place => ({ shape: [12, 4], within: [[0, 6], [0, 4]], of: [[from, from + 6], [0, 4]], transposed: false }); // prettier-ignore

  it("an additive method", async () => {
    const [a, b] = ["a.all", "b.all"].map(numbers) as [number[], number[]];
    const want = numbers("half").map((w, k) => w + product((r) => b[(6 + Math.floor(k / 4)) * 2 + r]!, (r) => a[r * 4 + (k % 4)]!)); // prettier-ignore
    near(await run(item("half", [lora(linear([12, 4]), "a.all", "b.all", half(6))])), want);
  });

  it("a method that computes each row from that row of the weight", async () => {
    const step: MergeOp = {
      ...lora(linear([12, 4]), "a.all", "b.all", half(6)),
      method: "HIRA",
      config: { r: 2 },
    };
    const [a, b] = ["a.all", "b.all"].map(numbers) as [number[], number[]];
    const want = numbers("half").map((w, k) => w + w * product((r) => b[(6 + Math.floor(k / 4)) * 2 + r]!, (r) => a[r * 4 + (k % 4)]!)); // prettier-ignore
    near(await run(item("half", [step])), want);
  });

  it("is refused where the method needs the rest", async () => {
    const turned: LayerSpec = { ...linear([12, 4]), transposed: true };
    const dora = lora(turned, "a.wide", "b.wide", half(6), { m: "m", config: { useDora: true } });
    await expect(run(item("half", [dora]))).rejects.toThrow(/from all of it/);
  });
});
