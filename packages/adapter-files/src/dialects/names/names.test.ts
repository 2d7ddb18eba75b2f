import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BaseNames } from "./base-names.js";
import { mapFor, NAME_MAPS, namingOf } from "./families.js";
import { type Family, partRows } from "./name-map.js";
import { guessPath } from "./tokenize.js";

const fixture = <T>(path: string): T =>
  JSON.parse(
    readFileSync(fileURLToPath(new URL(`../../../../../fixtures/lycoris/convert/${path}/case.json`, import.meta.url)), "utf8"),
  ) as T;

describe("names without a base", () => {
  test.each([
    ["down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_out_0", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_out.0"],
    ["text_model_encoder_layers_11_self_attn_q_proj", "text_model.encoder.layers.11.self_attn.q_proj"],
    ["single_transformer_blocks_3_attn_to_q", "single_transformer_blocks.3.attn.to_q"],
    ["double_blocks_0_img_attn_qkv", "double_blocks.0.img_attn.qkv"],
    ["model_layers_0_mlp_gate_up_proj", "model.layers.0.mlp.gate_up_proj"],
    ["joint_blocks_1_context_block_adaLN_modulation_1", "joint_blocks.1.context_block.adaLN_modulation.1"],
    ["input_blocks_4_1_transformer_blocks_0_ff_net_0_proj", "input_blocks.4.1.transformer_blocks.0.ff.net.0.proj"],
  ])("%s", (flat, path) => {
    expect(guessPath(flat)).toBe(path);
  });

  test("a very long name does not take for ever", () => {
    expect(guessPath("to_".repeat(1_000_000))).toMatch(/^to/);
  });
});

describe("names of a base", () => {
  const { flattened } = fixture<{ flattened: Record<string, string[]> }>("flatten-names");
  const names = new BaseNames(Object.values(flattened).flat());
  test.each(Object.entries(flattened))("%s", (flat, paths) => {
    const found = names.lookUp(flat.slice("lycoris_".length), "model");
    expect(found.map(([target]) => target!.path).toSorted()).toEqual([...paths].toSorted());
  });

  test("diffusers' names are found under the original's, parts of a fused weight together", () => {
    const base = new BaseNames(["to_q", "to_k", "to_v"].map((name) => `transformer_blocks.0.attn.${name}`));
    const [group, ...more] = base.lookUp("double_blocks_0_img_attn_qkv", "denoiser");
    expect(more).toEqual([]);
    expect(group!.map(({ path, part }) => [path, partRows(part!, 18)])).toEqual([
      ["transformer_blocks.0.attn.to_q", [0, 6]],
      ["transformer_blocks.0.attn.to_k", [6, 12]],
      ["transformer_blocks.0.attn.to_v", [12, 18]],
    ]);
  });

  test("the layers of a language model are found with and without what stands in front of them", () => {
    const llama = new BaseNames([
      "model.layers.0.self_attn.q_proj",
      "model.layers.1.self_attn.q_proj",
      "model.layers.0.mlp.gate_proj",
      "lm_head",
    ]);
    for (const name of ["model_layers_0_self_attn_q_proj", "layers_0_self_attn_q_proj", "model.layers.0.self_attn.q_proj"])
      expect(llama.lookUp(name, "model").map(([target]) => target!.path)).toEqual(["model.layers.0.self_attn.q_proj"]);
  });

  test("text_model may be there or not, and the components of a checkpoint keep apart", () => {
    expect(new BaseNames(["encoder.layers.0.mlp.fc1"]).lookUp("text_model_encoder_layers_0_mlp_fc1", "te1")[0]![0]!.path).toBe(
      "encoder.layers.0.mlp.fc1",
    );
    const both = new BaseNames(["text_encoder.text_model.encoder.layers.0.mlp.fc1", "text_encoder_2.text_model.encoder.layers.0.mlp.fc1"]);
    expect(both.lookUp("text_model_encoder_layers_0_mlp_fc1", "te2").map(([target]) => target!.path)).toEqual([
      "text_encoder_2.text_model.encoder.layers.0.mlp.fc1",
    ]);
  });
});

/** What diffusers' own converters make of a checkpoint: fixtures/make_diffusion_names.py. */
interface FamilyFixture {
  readonly family: Family;
  readonly modules: readonly (readonly [original: string, diffusers: string, ...part: (number | "swapped")[]])[];
}

const FAMILIES = Object.keys(NAME_MAPS) as Family[];
const tableOf = (family: Family): FamilyFixture =>
  JSON.parse(
    readFileSync(fileURLToPath(new URL(`../../../../../fixtures/diffusion-names/${family}.json`, import.meta.url)), "utf8"),
  ) as FamilyFixture;

describe.each(FAMILIES)("%s: original and diffusers' names", (family) => {
  const { modules } = tableOf(family);
  const map = NAME_MAPS[family];
  test("are those that diffusers' converter gives, part by part, from dotted and from flat names", () => {
    for (const [original, diffusers, ...part] of modules)
      for (const flat of [(name: string) => name, (name: string) => name.replaceAll(".", "_")]) {
        const there = map.toDiffusers(flat(original))?.find(({ path }) => path === diffusers);
        expect([original, there?.path]).toEqual([original, diffusers]);
        const back = map.toOriginal(flat(diffusers))!;
        expect([diffusers, back.path]).toEqual([diffusers, original]);
        expect(back).toEqual({ ...there, path: original });
        // The last context block of SD3 is told by its shape.
        const swapped = part[0] === "swapped" && !/context_block/.test(original);
        expect([original, there!.swapped ?? false]).toEqual([original, swapped]);
        const [start, stop, rows] = part as number[];
        expect([diffusers, there!.part && partRows(there!.part, rows ?? 1)]).toEqual([
          diffusers,
          rows === undefined ? undefined : [start, stop],
        ]);
      }
  });

  test("are known in their style with their dots, and tell the family", () => {
    for (const style of ["original", "diffusers"] as const) {
      const paths = [...new Set(modules.map(([original, diffusers]) => (style === "original" ? original : diffusers)))];
      expect(paths.map((path) => map.known(path.replaceAll(".", "_"), style))).toEqual(paths);
      const naming = namingOf(paths.map((path) => ({ path })));
      expect(naming.family).toBe(family);
      if (style === "original" ? modules.some(([a, b]) => a !== b) : true) expect(naming.style).toBe(style);
    }
  });
});

describe("families with names in common", () => {
  const matrix = (out: number, inputs: number): readonly [number, number] => [out, inputs];
  test("are told by the rows of fused projections", () => {
    const named = (out: number): readonly Family[] => namingOf([{ path: "layers.0.attention.qkv", matrix: matrix(out, 24) }]).candidates;
    expect([named(72), named(40)]).toEqual([["z-image"], ["lumina2"]]);
  });

  test("are told by their widths", () => {
    const named = (inputs: number): readonly Family[] =>
      namingOf([{ path: "transformer_blocks.0.attn.to_q", matrix: matrix(inputs, inputs) }]).candidates;
    expect([named(1536), named(6144)]).toEqual([["sd3"], ["flux2"]]);
    expect(named(3072)).toEqual(expect.arrayContaining(["flux", "qwen-image"]));
    const unet = namingOf([{ path: "mid_block.attentions.0.transformer_blocks.0.attn2.to_k", matrix: matrix(1280, 2048) }]);
    expect(unet.family).toBe("sdxl");
  });

  test("need no telling where the names come out alike", () => {
    const naming = namingOf([{ path: "double_blocks_3_img_attn_qkv" }]);
    expect(naming.family).toBeUndefined();
    expect(mapFor(naming, ["double_blocks_3_img_attn_qkv"], "diffusers")?.toDiffusers("double_blocks_3_img_attn_qkv")![1]!.path).toBe(
      "transformer_blocks.3.attn.to_k",
    );
    expect(mapFor(namingOf([{ path: "double_blocks.0.img_mlp.0" }]), ["double_blocks.0.img_mlp.0"], "diffusers")).toBeUndefined();
  });

  test("names of no table are of no family", () => {
    expect(namingOf([{ path: "model.layers.0.self_attn.q_proj" }, { path: "layers.0.feed_forward.w1" }]).candidates).toEqual([]);
  });
});
