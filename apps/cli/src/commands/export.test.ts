import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decode } from "@weft/tensor-core";
import { matrix, product } from "@weft/tensor-core/linalg";
import { describe, expect, it } from "vitest";
import { checkpointOf, makeLlama, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const PEFT = join(FIXTURES, "peft");

interface Config {
  readonly r: number;
  readonly lora_alpha: number;
  readonly rank_pattern: object;
  readonly alpha_pattern: object;
  readonly use_rslora?: boolean;
  readonly base_model_name_or_path: string | null;
}

const configOf = (adapter: string): Config => JSON.parse(readFileSync(join(adapter, "adapter_config.json"), "utf8")) as Config;

const values = (raw: Buffer): Float64Array => decode(Uint8Array.from(raw), "f32");

const pick = (pattern: object, path: string, common: number): number =>
  (Object.entries(pattern) as [string, number][]).find(([key]) => new RegExp(`^(.*\\.)?(${key})$`).test(path))?.[1] ?? common;

/** ΔW of every module as a reader sees it that takes rank and alpha from the config's two fields alone, or from the patterns, too. */
function changes(adapter: string, patterns: boolean): Map<string, Float64Array> {
  const { r, lora_alpha, rank_pattern, alpha_pattern } = configOf(adapter);
  const tensors = tensorsOf(join(adapter, "adapter_model.safetensors"));
  const result = new Map<string, Float64Array>();
  for (const [key, { shape, bytes }] of tensors) {
    if (!key.endsWith(".lora_A.weight")) continue;
    const path = key.slice("base_model.model.".length, -".lora_A.weight".length);
    const b = tensors.get(key.replace("lora_A", "lora_B"))!;
    const scale = patterns ? pick(alpha_pattern, path, lora_alpha) / pick(rank_pattern, path, r) : lora_alpha / r;
    const delta = product(matrix(b.shape[0]!, b.shape[1]!, values(b.bytes)), matrix(shape[0]!, shape[1]!, values(bytes))).data;
    result.set(
      path,
      delta.map((x) => scale * x),
    );
  }
  return result;
}

it("evens out ranks and alphas for servers that read one of each", async () => {
  const [from, out] = [join(PEFT, "lora_patterns"), join(folder, "vllm")];
  const { code, stdout, stderr } = await weft("export", from, "--target", "vllm", "-o", out, "--base-name", "me/base");
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("--max-lora-rank");
  const [before, after] = [changes(from, true), changes(out, false)];
  expect([...after.keys()]).toEqual([...before.keys()]);
  for (const [path, want] of before) {
    const got = after.get(path)!;
    expect(want.every((x, i) => Math.abs(x - got[i]!) <= 1e-6 * (1 + Math.abs(x)))).toBe(true);
  }
  const config = configOf(out);
  expect([config.rank_pattern, config.alpha_pattern, config.base_model_name_or_path]).toEqual([{}, {}, "me/base"]);
});

it("leaves an even adapter's factors as they are", async () => {
  const lora = makeLlama(folder, { layers: 2 }).lora;
  const out = join(folder, "even");
  const { code, stdout } = await weft("export", lora, "--target", "lorax", "-o", out, "--json");
  expect(code).toBe(0);
  expect(JSON.parse(stdout.trim().split("\n").at(-1)!)).toMatchObject({ evenedOut: 0, advice: [] });
  const [before, after] = [lora, out].map((path) => tensorsOf(join(path, "adapter_model.safetensors"))) as [
    ReturnType<typeof tensorsOf>,
    ReturnType<typeof tensorsOf>,
  ];
  expect(after.size).toBe(before.size);
  for (const [name, { bytes }] of before) expect(after.get(name)!.bytes.equals(bytes)).toBe(true);
});

/** A LoRA of a text model; the bases hold it as it is, or as a part of a vision-language model. */
async function make(prefix: string): Promise<{ lora: string; base: string }> {
  const { lora, base: plain } = makeLlama(join(folder, `of-${prefix.length}`), { layers: 1 });
  if (prefix === "model.") return { lora, base: plain };
  const base = join(folder, "wrapped");
  const renamed = [...checkpointOf(plain)].map(([name, tensor]) => [name.replace(/^model\./, prefix), tensor] as const);
  await writeTensors(join(base, "model.safetensors"), new Map(renamed));
  writeFileSync(join(base, "config.json"), JSON.stringify({ architectures: ["Qwen3VLForConditionalGeneration"], model_type: "qwen3_vl" }));
  return { lora, base };
}

describe("with a base", () => {
  it.each(["model.", "model.language_model."])("writes the base's names: %s", async (prefix) => {
    const { lora, base } = await make(prefix);
    const out = join(folder, `fitted-${prefix.length}`);
    const { code, stderr } = await weft("export", lora, "--target", "vllm", "-o", out, "--base", base);
    expect(code, stderr).toBe(0);
    const [before, after] = [changes(lora, false), changes(out, false)];
    expect([...after.keys()].toSorted()).toEqual([...before.keys()].map((path) => path.replace(/^model\./, prefix)).toSorted());
    for (const [path, want] of before) expect(after.get(path.replace(/^model\./, prefix))).toEqual(want);
    const weights = checkpointOf(base);
    for (const path of after.keys()) expect(weights.has(`${path}.weight`)).toBe(true);
  });
  it("refuses a base that has no place for a module", async () => {
    const { lora } = makeLlama(join(folder, "deep"), { layers: 2 });
    const { base } = makeLlama(join(folder, "flat"), { layers: 1 });
    const { code, stderr } = await weft("export", lora, "--target", "vllm", "-o", join(folder, "none"), "--base", base);
    expect([code, stderr]).toEqual([2, expect.stringContaining("model.layers.1.") as unknown]);
  });
});

const refusal = async (target: string, adapter: string): Promise<{ code: number; kind: string; message: string; hint: string }> => {
  const { code, stdout } = await weft("export", "--json", "--quiet", adapter, "--target", target, "-o", join(folder, "refused"));
  const { error } = JSON.parse(stdout.trim().split("\n").at(-1)!) as { error: { kind: string; message: string; hint: string } };
  return { code, ...error };
};

describe("refuses, with the reason,", () => {
  it.each([
    ["lora_dora", /no DoRA/],
    ["lora_modules_to_save", /modules_to_save/],
    ["lora_bias_all", /trained biases/],
    ["lora_conv2d", /linear layers only/],
    ["lora_embedding", /LoRA on embeddings/],
  ])("%s", async (name, reason) => {
    const { code, kind, message } = await refusal("vllm", join(PEFT, name));
    expect([code, kind]).toEqual([2, "unsupported-by-target"]);
    expect(message).toMatch(reason);
  });
});
