import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { BaseNames } from "./base-names.js";
import { NAME_MAPS } from "./families.js";
import { partRows } from "./name-map.js";
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

  test("a very long name takes no time", () => {
    const start = performance.now();
    guessPath("to_".repeat(100_000));
    expect(performance.now() - start).toBeLessThan(500);
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

describe("original and diffusers' names", () => {
  const { pairs } = fixture<{ pairs: Record<string, string> }>("sdxl-sgm-names");
  const known = Object.entries(pairs).map(([kohya, key]) => {
    const path = key
      .replace(/^unet\./, "")
      .replace(/\.processor\.(to_\w+)_lora\.down\.weight$/, ".$1")
      .replace(/\.lora\.down\.weight$/, "");
    return [guessPath(kohya.slice("lora_unet_".length)), path.replace(/\.to_out$/, ".to_out.0")] as const;
  });
  test.each(known)("%s ↔ %s", (original, diffusers) => {
    expect(NAME_MAPS.sdxl.toDiffusers(original)).toEqual([{ path: diffusers }]);
    expect(NAME_MAPS.sdxl.toOriginal(diffusers)).toEqual({ path: original });
  });

  test("the upsampler of SD 1's block without attention comes second", () => {
    expect(NAME_MAPS.sd.toOriginal("up_blocks.0.upsamplers.0.conv")?.path).toBe("output_blocks.2.1.conv");
    expect(NAME_MAPS.sd.toDiffusers("output_blocks.2.1.conv")).toEqual([{ path: "up_blocks.0.upsamplers.0.conv" }]);
  });

  test.each([
    ["flux", "double_blocks.7.txt_attn.qkv"],
    ["flux", "single_blocks.12.linear1"],
    ["flux", "final_layer.adaLN_modulation.1"],
    ["flux", "time_in.out_layer"],
    ["sd3", "joint_blocks.23.x_block.attn2.qkv"],
    ["sd3", "joint_blocks.0.context_block.mlp.fc2"],
    ["sd3", "t_embedder.mlp.0"],
  ] as const)("%s: %s comes back", (family, path) => {
    const there = NAME_MAPS[family].toDiffusers(path)!;
    expect(there.length).toBeGreaterThan(0);
    there.forEach((renamed) => expect(NAME_MAPS[family].toOriginal(renamed.path)).toEqual({ ...renamed, path }));
  });
});
