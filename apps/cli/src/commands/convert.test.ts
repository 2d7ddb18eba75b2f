import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { f32, filesOf, type StoredTensor, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { FIXTURES, type Ran, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const modules = join(FIXTURES, "lycoris/modules");
const fixture = (path: string): string => join(FIXTURES, "lycoris/convert", `${path}.safetensors`);
const keys = (file: string): string[] => [...tensorsOf(file).keys()].toSorted();
const metadataOf = (file: string): Record<string, string> => {
  const content = readFileSync(file);
  const header = JSON.parse(content.subarray(8, 8 + Number(content.readBigUInt64LE(0))).toString()) as {
    __metadata__: Record<string, string>;
  };
  return header.__metadata__;
};
let made = 0;
const fresh = (): string => join(folder, String(made++));

interface Result {
  readonly from: string;
  readonly to: string;
  readonly modules: number;
  readonly losses: readonly string[];
  readonly notes: readonly string[];
  readonly unmatched: readonly string[];
  readonly verified: { readonly modules: number; readonly error: number; readonly exact: number } | null;
}

/** Converts, and gives where to and what `--json` says last. */
async function converted(input: string, to: string, ...args: string[]): Promise<{ out: string; result: Result; ran: Ran }> {
  const out = fresh();
  const ran = await weft("convert", input, "--to", to, "-o", out, "--json", ...args);
  expect(ran.code, ran.stdout + ran.stderr).toBe(0);
  return { out, ran, result: JSON.parse(ran.stdout.trimEnd().split("\n").at(-1)!) as Result };
}

/** The module fixtures whose names contain `part`, as one file under kohya's names, with other names for each. */
async function fileOf(part: RegExp, name: (i: number) => string): Promise<{ readonly file: string; readonly count: number }> {
  const tensors = new Map<string, StoredTensor>();
  const cases = readdirSync(modules).filter((entry) => part.test(entry));
  cases.forEach((entry, i) => {
    for (const [key, tensor] of tensorsOf(join(modules, entry, "adapter.safetensors")))
      tensors.set(`${name(i)}${key.slice(key.indexOf("."))}`, tensor);
  });
  const file = `${fresh()}.safetensors`;
  await writeTensors(file, tensors, { ss_output_name: "x", "modelspec.title": "kept ✓", sshs_model_hash: "old" });
  return { file, count: cases.length };
}

/** One of the attentions that only SD's UNet has, and others that it has as well. */
const attention = (i: number): string => `up_blocks_${3 - (i % 3)}_attentions_${Math.floor(i / 3)}`;

describe("weft convert", () => {
  it("proves that every change is the same, and says what it took the file for", async () => {
    const { result, out, ran } = await converted(fixture("sd-lora/kohya"), "diffusers");
    expect(result).toMatchObject({
      from: "kohya",
      to: "diffusers",
      modules: 67,
      losses: [],
      unmatched: [],
      verified: { modules: 67, error: 0, exact: 67 },
    });
    expect(result.notes).toEqual([]);
    expect(ran.stdout).toContain("201 of 201 keys are as in lora_unet_");
    expect(keys(join(out, "pytorch_lora_weights.safetensors"))).toEqual(keys(fixture("sd-lora/diffusers")));
  });

  it("writes one PEFT adapter per part of a pipeline, which opens as it is", async () => {
    const { out } = await converted(fixture("sd-dora/kohya"), "peft");
    expect(readdirSync(out).toSorted()).toEqual(["text_encoder", "unet"]);
    expect(keys(join(out, "unet/adapter_model.safetensors"))).toEqual(keys(fixture("sd-dora/peft_unet")));
    const { result, out: back } = await converted(join(out, "unet"), "kohya");
    expect(result).toMatchObject({ from: "peft", modules: 61, verified: { exact: 61 } });
    const [got, want] = [tensorsOf(join(back, "lora.safetensors")), tensorsOf(fixture("sd-dora/kohya"))];
    for (const [name, { bytes, shape }] of got)
      expect([name, shape, bytes.equals(want.get(name)!.bytes)]).toEqual([name, want.get(name)!.shape, true]);
  });

  it("knows the second text encoder by its folder", async () => {
    const { file } = await fileOf(/-locon-linear$/, () => "lora_te2_text_model_encoder_layers_0_mlp_fc1");
    const both = new Map([...tensorsOf(file), ...tensorsOf(fixture("sd-lora/kohya"))]);
    const source = `${fresh()}.safetensors`;
    await writeTensors(source, both);
    const { out } = await converted(source, "peft");
    const { out: back } = await converted(join(out, "text_encoder_2"), "kohya");
    expect(keys(join(back, "lora.safetensors"))).toEqual(keys(file));
  });

  it("keeps kohya's metadata word for word, adds the least that is needed, and computes the hashes anew", async () => {
    const { file } = await fileOf(/-locon-linear$/, () => "lora_unet_down_blocks_0_attentions_0_proj_in");
    const { out } = await converted(file, "kohya");
    const written = join(out, "lora.safetensors");
    const content = readFileSync(written);
    const data = content.subarray(8 + Number(content.readBigUInt64LE(0)));
    expect(metadataOf(written)).toEqual({
      ss_output_name: "x",
      "modelspec.title": "kept ✓",
      ss_v2: "False",
      ss_network_module: "networks.lora",
      ss_network_dim: "4",
      ss_network_alpha: "2.0",
      ss_network_args: "{}",
      sshs_model_hash: createHash("sha256").update(data).digest("hex"),
      sshs_legacy_hash: "e3b0c442",
    });
  });

  it("takes every method of LyCORIS from one scheme to another with the bytes as they are", async () => {
    const { file, count } = await fileOf(/./, (i) => `lora_unet_blocks_${i}_to_out_0`);
    const { out, result } = await converted(file, "lycoris");
    expect(result.verified).toMatchObject({ modules: count, exact: count });
    const { out: back } = await converted(join(out, "lycoris.safetensors"), "lycoris");
    expect(filesOf(back)).toEqual(filesOf(out));
    const [got, want] = [tensorsOf(join(out, "lycoris.safetensors")), tensorsOf(file)];
    for (const [name, { bytes }] of want)
      if (!/\.(alpha|on_input)$/.test(name)) expect(got.get(name.replace("lora_unet_", "lycoris_"))!.bytes.equals(bytes), name).toBe(true);
  });

  it.each([
    ["Tucker cores", /-locon-conv3x3.*use_tucker/, 1e-6],
    ["LoHa of linear layers", /-loha-linear(-rs_lora|-use_scalar|-bfloat16)?$/, 1e-6],
    ["LoHa with Tucker cores", /-loha-conv3x3-use_tucker$/, 1e-6],
    ["LoKr of linear layers", /-lokr-linear(-rs_lora|-use_scalar|-factor-1)?$/, 1e-6],
    ["LoKr with Tucker cores", /-lokr-conv3x3-use_tucker$/, 1e-6],
    ["LoKr with two factored halves", /-lokr-linear-decompose_both$/, 1e-6],
  ])("writes %s as LoRA, exactly", async (_, part, limit) => {
    const { file, count } = await fileOf(part, (i) => `lora_unet_${attention(i)}_proj_in`);
    expect(count).toBeGreaterThan(0);
    const { result } = await converted(file, "diffusers");
    expect(result.verified!.modules).toBe(count);
    expect(result.verified!.error).toBeLessThan(limit);
  });

  it.each([
    ["LoHa", /-loha-(linear|conv3x3|conv1x1)$/],
    ["LoHa with Tucker cores", /-loha-conv(3x3|1d)-use_tucker$/],
    ["LoKr", /-lokr-linear(-rs_lora|-use_scalar)?$/],
    ["LoKr with two whole halves", /-lokr-linear-full_matrix$/],
  ])("writes %s as PEFT has it, and back", async (_, part) => {
    const { file, count } = await fileOf(part, (i) => `lora_unet_${attention(i)}_transformer_blocks_0_attn1_to_q`);
    const { out, result } = await converted(file, "peft");
    expect(result.verified).toMatchObject({ modules: count });
    expect(result.verified!.error).toBeLessThan(1e-6);
    const { result: back } = await converted(out, "kohya");
    expect(back.verified!.error).toBeLessThan(1e-6);
  });

  it("refuses what the dialect cannot hold, with the reason, and writes nothing", async () => {
    const { file } = await fileOf(
      /-(norm-layernorm|locon-linear|lokr-linear-full_matrix|locon-linear-weight_decompose-wd_on_outFalse)$/,
      (i) => `lora_unet_${attention(i)}_proj_in`,
    );
    const out = fresh();
    const ran = await weft("convert", file, "--to", "diffusers", "-o", out);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(/NORM is no product of low rank/);
    expect(ran.stderr).toMatch(/only an SVD would make it a LoRA/);
    expect(ran.stderr).toMatch(/magnitudes of input columns \(DoRA\) have no form in PEFT/);
    expect(ran.stderr).toMatch(/hint: --allow-loss/);
    expect(existsSync(out)).toBe(false);
    const { result } = await converted(file, "diffusers", "--allow-loss");
    expect([result.losses.length, result.verified!.modules]).toEqual([3, 1]);
  });

  it("folds alpha into the factors when asked to; a scale that is no power of two rounds, and says so", async () => {
    const { result, out } = await converted(fixture("flux-kohya/kohya"), "diffusers", "--fold-alpha", "--allow-loss");
    expect(result.losses).toEqual([expect.stringMatching(/txt_attn_qkv: its scale 0\.1666\d* is worked into a factor, which rounds/)]);
    expect(keys(join(out, "pytorch_lora_weights.safetensors"))).toEqual(keys(fixture("flux-kohya/diffusers")));
    expect((await weft("convert", fixture("flux-kohya/kohya"), "--to", "diffusers", "--fold-alpha", "-o", fresh())).code).toBe(2);
  });

  it("goes to mlx-lm and back: factors transposed, ranks filled up, one scale", async () => {
    const source = join(FIXTURES, "peft/llama_lora");
    const lora = join(folder, "llama_lora");
    mkdirSync(lora);
    for (const name of ["adapter_config.json", "adapter_model.safetensors"]) copyFileSync(join(source, name), join(lora, name));
    // The fixture also saves its head.
    const { out, result } = await converted(lora, "mlx", "--allow-loss");
    expect(result.losses).toEqual([expect.stringMatching(/lm_head.*whole tensors of the base have no form/)]);
    const config = JSON.parse(readFileSync(join(out, "adapter_config.json"), "utf8")) as object;
    expect(config).toMatchObject({
      fine_tune_type: "lora",
      num_layers: -1,
      lora_parameters: { rank: 4, keys: ["mlp.down_proj", "self_attn.q_proj", "self_attn.v_proj"] },
    });
    const { out: back } = await converted(out, "peft");
    const [got, want] = [tensorsOf(join(back, "adapter_model.safetensors")), tensorsOf(join(lora, "adapter_model.safetensors"))];
    for (const [name, { bytes }] of got) expect(bytes.equals(want.get(name)!.bytes), name).toBe(true);
    expect(got.size).toBe(12);
  });

  it("asks for the base where names may mean several modules, and takes the one whose shape fits", async () => {
    const [adapter, base] = [join(folder, "flat.safetensors"), join(folder, "flat-base.safetensors")];
    const zeros = (...shape: number[]): StoredTensor => f32(shape, () => 0);
    await writeTensors(
      adapter,
      new Map([
        ["lycoris_blocks_0_to_q.lora_down.weight", zeros(2, 3)],
        ["lycoris_blocks_0_to_q.lora_up.weight", zeros(4, 2)],
      ]),
    );
    await writeTensors(
      base,
      new Map([
        ["blocks.0.to_q.weight", zeros(5, 3)],
        ["blocks.0.to.q.weight", zeros(4, 3)],
      ]),
    );
    const { out, result } = await converted(adapter, "peft", "--base", base);
    expect([keys(join(out, "adapter_model.safetensors"))[0], result.notes]).toEqual(["base_model.model.blocks.0.to.q.lora_A.weight", []]);
    await writeTensors(
      base,
      new Map([
        ["blocks.0.to_q.weight", zeros(4, 3)],
        ["blocks.0.to.q.weight", zeros(4, 3)],
      ]),
    );
    const ran = await weft("convert", adapter, "--to", "peft", "--base", base, "-o", fresh(), "--json");
    expect([ran.code, ran.stdout]).toEqual([
      4,
      expect.stringMatching(/"ambiguous-name".*blocks\.0\.to_q or blocks\.0\.to\.q|"ambiguous-name".*blocks\.0\.to\.q or blocks\.0\.to_q/),
    ]);
  });

  it("writes nothing on a dry run, over an existing file or over its input", async () => {
    const out = fresh();
    const dry = await weft("convert", fixture("sd-lora/kohya"), "--to", "comfyui", "-o", out, "--dry-run");
    expect([dry.code, dry.stdout.includes("would write"), existsSync(out)]).toEqual([0, true, false]);
    const file = join(folder, "own.safetensors");
    copyFileSync(fixture("sd-lora/kohya"), file);
    const before = readFileSync(file);
    for (const flags of [[], ["--force"]]) {
      const ran = await weft("convert", file, "--to", "kohya", "-o", file, ...flags);
      expect([ran.code, readFileSync(file).equals(before)]).toEqual([2, true]);
    }
    const { out: first } = await converted(file, "kohya");
    expect((await weft("convert", file, "--to", "kohya", "-o", first)).stderr).toMatch(/exists already[^]*--force/);
    expect((await weft("convert", file, "--to", "kohya", "-o", first, "--force")).code).toBe(0);
  });

  it("says what is wrong with what is no adapter", async () => {
    const run = async (path: string): Promise<string> => (await weft("convert", path, "--to", "kohya", "-o", fresh(), "--json")).stdout;
    expect(await run(fixture("sd-lora/delta"))).toMatch(/"unknown-dialect"/);
    expect(await run(fixture("sd-lora/peft_unet"))).toMatch(/"missing-config"/);
    expect(await run(join(folder, "nothing"))).toMatch(/"not-found"/);
    writeFileSync(join(folder, "text.safetensors"), "no tensors");
    expect(await run(join(folder, "text.safetensors"))).toMatch(/"header-/);
  });
});

describe("inspect of files that need no config", () => {
  it("inspect says dialect, why, methods, parts and every key that belongs nowhere", async () => {
    const file = join(folder, "odd.safetensors");
    const tensors = new Map<string, StoredTensor>(tensorsOf(fixture("sd-dora/kohya")));
    tensors
      .set(
        "stray.weight",
        f32([1], () => 0),
      )
      .set(
        "lora_unet_alone.alpha",
        f32([], () => 1),
      );
    await writeTensors(file, tensors);
    const ran = await weft("inspect", file, "--json");
    expect(ran.code, ran.stdout).toBe(0);
    const { adapter, kind } = JSON.parse(ran.stdout) as { kind: string; adapter: object };
    expect(kind).toBe("adapter");
    expect(adapter).toMatchObject({
      dialect: "kohya",
      method: "LOCON",
      rank: 4,
      modules: 67,
      components: { te1: 6, denoiser: 61 },
      unmatched: ["stray.weight", "lora_unet_alone.alpha"],
    });
    const text = (await weft("inspect", file)).stdout;
    expect(text).toMatch(/dialect\s+kohya: 269 of 270 keys/);
    expect(text).toMatch(/unmatched stray\.weight, lora_unet_alone\.alpha/);
  });
});
