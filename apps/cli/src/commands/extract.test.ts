import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { decode, torchGenerator, torchNormal } from "@weft/tensor-core";
import { matrix, product, singularValues } from "@weft/tensor-core/linalg";
import { beforeAll, describe, expect, it } from "vitest";
import { filesOf, tensorsOf } from "@weft/checkpoint/testing";
import { spawnWeft, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const [base, tuned] = [join(folder, "base.safetensors"), join(folder, "tuned.safetensors")];
const normal = (count: number, seed: number): Float32Array => torchNormal(torchGenerator(seed), count);

/** One thread: workers are files of the built program. */
const run = (...args: readonly string[]): ReturnType<typeof weft> => weft("extract", "--jobs", "1", ...args);

/** Ranks of the changes that the tuned checkpoint has. */
const RANKS = new Map([
  ["layers.0.q_proj", 3],
  ["layers.0.o_proj", 0],
  ["layers.1.q_proj", 2],
  ["layers.1.up_proj", 5],
]);
const [OUT, IN] = [24, 16];
const changes = new Map<string, Float32Array>();

function change(path: string, rank: number): Float32Array {
  if (rank === 0) return new Float32Array(OUT * IN);
  const [b, a] = [matrix(OUT, rank, normal(OUT * rank, rank)), matrix(rank, IN, normal(rank * IN, path.length + rank))];
  return Float32Array.from(product(b, a).data);
}

const f32 = (name: string, shape: readonly number[], values: Float32Array) =>
  ({ name, dtype: "F32", shape, data: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) }) as const;

beforeAll(async () => {
  const before = [];
  const after = [];
  for (const [path, rank] of RANKS) {
    const [weight, delta] = [normal(OUT * IN, 7), change(path, rank)];
    changes.set(path, delta);
    before.push(f32(`${path}.weight`, [OUT, IN], weight));
    after.push(
      f32(
        `${path}.weight`,
        [OUT, IN],
        weight.map((w, i) => w + delta[i]!),
      ),
    );
  }
  for (const [name, shape] of [
    ["embed_tokens.weight", [5, IN]],
    ["norm.weight", [IN]],
  ] as const) {
    const values = normal(
      shape.reduce((a, b) => a * b, 1),
      9,
    );
    before.push(f32(name, shape, values));
    after.push(
      f32(
        name,
        shape,
        values.map((x) => x + 1),
      ),
    );
  }
  await writeSafetensorsFile(base, before);
  await writeSafetensorsFile(tuned, after);
});

/** B·A of a module of a PEFT adapter, whose scale is 1. */
function delta(adapter: string, path: string): { rank: number; values: Float64Array } {
  const tensors = tensorsOf(join(adapter, "adapter_model.safetensors"));
  const read = (which: string) => {
    const { shape, bytes } = tensors.get(`base_model.model.${path}.lora_${which}.weight`)!;
    return matrix(shape[0]!, shape[1]!, decode(Uint8Array.from(bytes), "f32"));
  };
  const [a, b] = [read("A"), read("B")];
  return { rank: a.rows, values: product(b, a).data };
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Math.sqrt(Array.from(a).reduce((sum, x, i) => sum + (x - b[i]!) ** 2, 0));

it("finds changes of low rank again, as an adapter of PEFT", async () => {
  const out = join(folder, "fixed");
  const { code, stdout, stderr } = await run(tuned, "--base", base, "--rank", "5", "-o", out, "--json", "--base-name", "me/base");
  expect(code, stderr).toBe(0);
  for (const [path, rank] of RANKS) {
    if (rank === 0) continue;
    const found = delta(out, path);
    expect(found.rank).toBe(5);
    expect(distance(found.values, changes.get(path)!)).toBeLessThan(1e-4);
  }
  const config = JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8")) as object;
  expect(config).toMatchObject({ peft_type: "LORA", r: 5, lora_alpha: 5, base_model_name_or_path: "me/base" });
  expect(config).toHaveProperty("target_modules", ["layers.0.q_proj", "layers.1.q_proj", "layers.1.up_proj"]);
  const result = JSON.parse(stdout.trim().split("\n").at(-1)!) as { leftOut: { name: string }[]; unchanged: number };
  expect(result.unchanged).toBe(1);
  expect(result.leftOut.map(({ name }) => name)).toEqual(["embed_tokens.weight", "norm.weight"]);
});

it("takes the rank that each layer's change needs, and writes it into the patterns", async () => {
  const out = join(folder, "auto");
  const { code, stderr } = await run(tuned, "--base", base, "--auto-rank", "0.999999", "-o", out);
  expect(code, stderr).toBe(0);
  for (const [path, rank] of RANKS) if (rank > 0) expect(delta(out, path).rank, path).toBe(rank);
  expect(stderr).toContain("2 tensors differ and are not in the adapter");
});

it("reports what is lost where the rank is too small", async () => {
  const out = join(folder, "small");
  const report = join(folder, "report.json");
  await run(tuned, "--base", base, "--auto-rank", "1", "--rank", "2", "--target", "up_proj", "-o", out, "--report", report);
  const { modules } = JSON.parse(readFileSync(report, "utf8")) as { modules: { module: string; rank: number; residual: number }[] };
  const want = changes.get("layers.1.up_proj")!;
  expect(modules).toHaveLength(1);
  expect(modules[0]!.rank).toBe(2);
  expect(modules[0]!.residual).toBeCloseTo(
    distance(delta(out, "layers.1.up_proj").values, want) / distance(want, new Float32Array(want.length)),
    3,
  );
});

it("approximates a large layer as well as its exact SVD", async () => {
  const [rows, cols, rank] = [230, 260, 12];
  const [before, after, out] = [join(folder, "large-base.safetensors"), join(folder, "large-tuned.safetensors"), join(folder, "large")];
  const noise = normal(rows * cols, 5);
  const sum = product(matrix(rows, rank, normal(rows * rank, 3)), matrix(rank, cols, normal(rank * cols, 4))).data;
  const delta32 = Float32Array.from(sum, (x, i) => x + 0.3 * noise[i]!);
  await writeSafetensorsFile(before, [f32("fc.weight", [rows, cols], new Float32Array(rows * cols))]);
  await writeSafetensorsFile(after, [f32("fc.weight", [rows, cols], delta32)]);
  const { code, stderr } = await run(after, "--base", before, "--rank", String(rank), "-o", out);
  expect(code, stderr).toBe(0);
  const spectrum = singularValues(matrix(rows, cols, delta32));
  const best = Math.sqrt(spectrum.slice(rank).reduce((total, s) => total + s * s, 0));
  expect(distance(delta(out, "fc").values, delta32)).toBeLessThan(1.0001 * best);
});

describe("a denoiser", () => {
  const path = "up_blocks.3.resnets.0.conv1";
  const files = [join(folder, "conv-base.safetensors"), join(folder, "conv-tuned.safetensors")] as const;
  beforeAll(async () => {
    for (const [i, file] of files.entries()) await writeSafetensorsFile(file, [f32(`${path}.weight`, [12, 8, 3, 3], normal(864, 3 + i))]);
  });
  it("gets kohya's names, alphas, hashes and Tucker cores", async () => {
    const out = join(folder, "conv.safetensors");
    const args = [
      files[1],
      "--base",
      files[0],
      "--rank",
      "4",
      "--conv-rank",
      "3",
      "--small-conv",
      "--to",
      "kohya",
      "-o",
      out,
      "--dtype",
      "f16",
    ];
    const { code, stderr } = await run(...args);
    expect(code, stderr).toBe(0);
    const tensors = tensorsOf(out);
    const key = `lora_unet_${path.replaceAll(".", "_")}`;
    expect(Object.fromEntries([...tensors].map(([name, { dtype, shape }]) => [name, [dtype, shape]]))).toEqual({
      [`${key}.alpha`]: ["F32", []],
      [`${key}.lora_down.weight`]: ["F16", [3, 8, 1, 1]],
      [`${key}.lora_mid.weight`]: ["F16", [3, 3, 3, 3]],
      [`${key}.lora_up.weight`]: ["F16", [12, 3, 1, 1]],
    });
    expect(readFileSync(out).toString("latin1")).toContain("sshs_model_hash");
  });
  it("keeps a change of high rank whole where that is asked for", async () => {
    const out = join(folder, "whole.safetensors");
    await run(files[1], "--base", files[0], "--auto-rank", "0.99", "--whole", "--to", "kohya", "-o", out);
    const [[name, { shape, bytes }]] = [...tensorsOf(out)] as unknown as [[string, { shape: number[]; bytes: Buffer }]];
    expect([name, shape]).toEqual([`lora_unet_${path.replaceAll(".", "_")}.diff`, [12, 8, 3, 3]]);
    const want = normal(864, 4).map((x, i) => x - normal(864, 3)[i]!);
    expect(distance(decode(Uint8Array.from(bytes), "f32"), want)).toBe(0);
  });
});

describe("refuses", () => {
  const kinds = async (...args: string[]): Promise<[number, string]> => {
    const { code, stdout } = await run("--json", "--quiet", ...args);
    return [code, (JSON.parse(stdout.trim().split("\n").at(-1)!) as { error: { kind: string } }).error.kind];
  };
  const out = join(folder, "refused");
  it("to guess a rank, or to follow two rules", async () => {
    expect(await kinds(tuned, "--base", base, "-o", out)).toEqual([2, "usage"]);
    expect(await kinds(tuned, "--base", base, "-o", out, "--ratio", "0.1", "--threshold", "1")).toEqual([2, "usage"]);
    expect(await kinds(tuned, "--base", base, "-o", out, "--ratio", "1.5")).toEqual([2, "usage"]);
  });
  it("checkpoints that are the same", async () =>
    expect(await kinds(base, "--base", base, "--rank", "2", "-o", out)).toEqual([4, "unchanged"]));
  it("targets that no module has", async () =>
    expect(await kinds(tuned, "--base", base, "--rank", "2", "--target", "w_proj", "-o", out)).toEqual([4, "no-match"]));
  it("values that are not finite, and leaves nothing behind", async () => {
    const broken = join(folder, "nan.safetensors");
    const values = normal(OUT * IN, 7);
    values[17] = NaN;
    await writeSafetensorsFile(broken, [f32("layers.0.q_proj.weight", [OUT, IN], values)]);
    expect(await kinds(broken, "--base", base, "--rank", "2", "-o", out)).toEqual([2, "non-finite"]);
    expect(existsSync(out)).toBe(false);
  });
  it("to write over an adapter unless told to", async () => {
    const here = join(folder, "here");
    mkdirSync(here);
    const args = [tuned, "--base", base, "--rank", "2", "-o", here];
    expect((await run(...args)).code).toBe(0);
    expect(await kinds(...args)).toEqual([2, "exists"]);
    expect((await run(...args, "--force")).code).toBe(0);
  });
});

it("writes the same bytes on one thread and on two", () => {
  for (const jobs of ["1", "2"]) {
    const { code, stderr } = spawnWeft([
      "extract",
      tuned,
      "--base",
      base,
      "--rank",
      "3",
      "-o",
      join(folder, `jobs-${jobs}`),
      "--jobs",
      jobs,
    ]);
    expect(code, stderr).toBe(0);
  }
  expect(filesOf(join(folder, "jobs-1"))).toEqual(filesOf(join(folder, "jobs-2")));
});
