import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensorsFile } from "@weft/io-safetensors/node";
import { decode } from "@weft/tensor-core";
import { matrix, product } from "@weft/tensor-core/linalg";
import { beforeAll, expect, it } from "vitest";
import { tensorsOf } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const MODULES = join(FIXTURES, "lycoris/modules");
const values = (bytes: Uint8Array): Float64Array => decode(Uint8Array.from(bytes), "f32");

/** A LoRA, a LoHa, a LoKr and a whole change of one weight [24, 16], with what LyCORIS says that they change. */
const CASES = { lora: "000-locon-linear", loha: "008-loha-linear", lokr: "016-lokr-linear", full: "093-full-linear" } as const;
type Name = keyof typeof CASES;
const PATH = "lycoris_blocks_0_lin";
const fileOf = (name: Name): string => join(folder, `${name}.safetensors`);
const deltaOf = (name: Name): Float64Array =>
  values(tensorsOf(join(MODULES, CASES[name], "tensors.safetensors")).get("delta_weight")!.bytes);

beforeAll(async () => {
  for (const [name, folderName] of Object.entries(CASES)) {
    const tensors = tensorsOf(join(MODULES, folderName, "adapter.safetensors"));
    const renamed = [...tensors].map(([key, { dtype, shape, bytes }]) => ({
      name: `${PATH}${key.slice(key.indexOf("."))}`,
      dtype: dtype as "F32",
      shape,
      data: bytes,
    }));
    await writeSafetensorsFile(fileOf(name as Name), renamed);
  }
});

/** ΔW of the one module of a file. */
function change(file: string): { readonly rank: number; readonly values: Float64Array } {
  const tensors = tensorsOf(file);
  const read = (key: string): Float64Array => values(tensors.get(`${PATH}.${key}`)!.bytes);
  const rank = tensors.get(`${PATH}.lora_down.weight`)!.shape[0]!;
  const scale = read("alpha")[0]! / rank;
  return {
    rank,
    values: product(matrix(24, rank, read("lora_up.weight")), matrix(rank, 16, read("lora_down.weight"))).data.map((x) => scale * x),
  };
}

const gap = (a: Float64Array, b: Float64Array): number => a.reduce((worst, x, i) => Math.max(worst, Math.abs(x - b[i]!)), 0);

it("adds a LoRA, a LoHa and a LoKr exactly", async () => {
  const out = join(folder, "sum.safetensors");
  const { code, stderr } = await weft(
    "combine",
    "-a",
    `${fileOf("lora")}:0.7`,
    "-a",
    `${fileOf("loha")}:-0.3`,
    "-a",
    fileOf("lokr"),
    "-o",
    out,
  );
  expect(code, stderr).toBe(0);
  const [lora, loha, lokr] = [deltaOf("lora"), deltaOf("loha"), deltaOf("lokr")];
  const want = lora.map((x, i) => 0.7 * x - 0.3 * loha[i]! + lokr[i]!);
  const got = change(out);
  // 4, 4², and 4 by 2.
  expect(got.rank).toBe(4 + 16 + 8);
  expect(gap(got.values, want)).toBeLessThan(1e-4);
});

it("compresses the sum to a rank", async () => {
  const out = join(folder, "compressed.safetensors");
  await weft("combine", "-a", fileOf("lora"), "-a", `${fileOf("loha")}:2`, "-o", out, "--rank", "16");
  const [lora, loha] = [deltaOf("lora"), deltaOf("loha")];
  const got = change(out);
  expect(got.rank).toBe(16);
  // The weight has no more than 16, so nothing is lost.
  expect(
    gap(
      got.values,
      lora.map((x, i) => x + 2 * loha[i]!),
    ),
  ).toBeLessThan(1e-4);
});

it("weighs blocks", async () => {
  const out = join(folder, "blocks.safetensors");
  await weft("combine", "-a", fileOf("lora"), "-o", out, "--block", "blocks.0=0.25");
  expect(
    gap(
      change(out).values,
      deltaOf("lora").map((x) => 0.25 * x),
    ),
  ).toBeLessThan(1e-5);
});

it("combines adapters of PEFT by PEFT's rules", async () => {
  const adapter = join(FIXTURES, "peft/lora_linear");
  const out = join(folder, "cat");
  const { code, stderr } = await weft("combine", "-a", `${adapter}:0.5`, "-a", adapter, "--combine", "cat", "-o", out);
  expect(code, stderr).toBe(0);
  const before = JSON.parse(readFileSync(join(adapter, "adapter_config.json"), "utf8")) as { r: number };
  const after = JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8")) as { r: number; lora_alpha: number };
  expect([after.r, after.lora_alpha]).toEqual([2 * before.r, 2 * before.r]);
});

it("combines LoRA on embeddings by PEFT's rules, and refuses it in forms that have none", async () => {
  const adapter = (name: string): string => join(FIXTURES, "peft/weighted_sources_emb", name);
  const sources = ["-a", `${adapter("a")}:0.7`, "-a", `${adapter("b")}:0.4`];
  const out = join(folder, "embedding-ties");
  const { code, stderr } = await weft("combine", ...sources, "--combine", "ties", "--density", "0.5", "-o", out);
  expect(code, stderr).toBe(0);
  const [got, want] = [out, join(FIXTURES, "peft/weighted_emb_ties")].map((home) => tensorsOf(join(home, "adapter_model.safetensors")));
  expect([...got!.keys()].toSorted()).toEqual([...want!.keys()].toSorted());
  for (const [name, { shape, bytes }] of want!) {
    expect(got!.get(name)!.shape).toEqual(shape);
    expect(gap(values(got!.get(name)!.bytes), values(bytes)), name).toBeLessThan(1e-6);
  }
  const kohya = await weft("combine", ...sources, "--to", "kohya", "-o", join(folder, "embedding.safetensors"));
  expect([kohya.code, kohya.stderr]).toEqual([2, expect.stringContaining("LoRA on an embedding has no form in kohya")]);
});

it("refuses what has no form as LoRA, blocks that do not exist, and types without their options", async () => {
  const run = async (...args: string[]): Promise<[number, string]> => {
    const { code, stdout } = await weft("combine", "--json", "--quiet", ...args, "-o", join(folder, "refused.safetensors"));
    return [code, (JSON.parse(stdout.trim().split("\n").at(-1)!) as { error: { kind: string } }).error.kind];
  };
  expect(await run("-a", fileOf("lora"), "-a", fileOf("full"))).toEqual([2, "not-combinable"]);
  expect(await run("-a", fileOf("lora"), "--block", "blocks.7=0.5")).toEqual([2, "usage"]);
  expect(await run("-a", fileOf("lora"), "-a", fileOf("lora"), "--combine", "ties")).toEqual([2, "config"]);
  expect(await run("-a", fileOf("lora"), "-a", fileOf("lokr"), "--combine", "linear")).toEqual([2, "config"]);
});
