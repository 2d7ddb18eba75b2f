import { ADAPTER_METHODS } from "@weft/methods";
import { describe, expect, test } from "vitest";
import { openAdapter, type OpenedAdapter } from "@weft/adapter-files";
import { type Made, memoryFile, numbers } from "@weft/adapter-files/testing";
import { memoryAdapter } from "../testing/memory-adapter.js";
import { reopened } from "./testing/reopened.js";
import type { TargetName } from "../targets/target.js";
import { convertAdapter, type ConvertOptions } from "./convert-adapter.js";
import { verifyConversion } from "./verify.js";

const lora = (module: string, [r, inputs, out]: readonly [number, number, number], seed = 0): Record<string, Made> => ({
  [`${module}.lora_down.weight`]: numbers([r, inputs], seed),
  [`${module}.lora_up.weight`]: numbers([out, r], seed + 1),
  [`${module}.alpha`]: { shape: [], data: Float32Array.of(r / 2) },
});

/** Converts and opens the result; ΔW must be the same on both sides. */
async function through(adapter: OpenedAdapter, to: TargetName, options: Partial<ConvertOptions> = {}): Promise<OpenedAdapter> {
  const { files } = await convertAdapter(adapter, { to, ...options });
  const written = await Promise.all(files.map(async (file) => ({ file, adapter: await reopened(file) })));
  const { error } = await verifyConversion(adapter, written);
  expect(error).toBeLessThan(1e-6);
  return written[0]!.adapter;
}

const shapes = (adapter: OpenedAdapter): Record<string, readonly number[]> =>
  Object.fromEntries([...adapter.weights.names()].map((name) => [name, adapter.weights.info(name).shape]));

describe("fused weights", () => {
  test("are cut into parts that share the down factor; put together again they share it still", async () => {
    const adapter = await memoryAdapter(lora("lora_unet_double_blocks_3_img_attn_qkv", [4, 6, 18]));
    const parts = await through(adapter, "diffusers");
    const at = (name: string): string => `transformer.transformer_blocks.3.attn.${name}`;
    expect(shapes(parts)).toEqual(
      Object.fromEntries(
        ["to_q", "to_k", "to_v"].flatMap((name) => [
          [`${at(name)}.lora_A.weight`, [4, 6]],
          [`${at(name)}.lora_B.weight`, [6, 4]],
        ]),
      ),
    );
    const whole = await through(parts, "kohya", { base: await memoryFile({ "double_blocks.0.img_attn.qkv.weight": { shape: [18, 6] } }) });
    expect(shapes(whole)).toEqual(shapes(adapter));
  });

  test("with parts of the rank for each part are cut in both factors", async () => {
    const up = numbers([18, 6]);
    (up.data as Float32Array).forEach((_, i, all) => {
      if (Math.floor(i / 6 / 6) !== Math.floor((i % 6) / 2)) all[i] = 0;
    });
    const name = "lora_unet_double_blocks_3_txt_attn_qkv";
    const parts = await through(await memoryAdapter({ ...lora(name, [6, 6, 18]), [`${name}.lora_up.weight`]: up }), "diffusers");
    expect(shapes(parts)["transformer.transformer_blocks.3.attn.add_k_proj.lora_A.weight"]).toEqual([2, 6]);
  });

  test("are put together block by block, with the ranks added up; a missing part changes nothing", async () => {
    const key = (name: string): string => `transformer.single_transformer_blocks.1.${name}`;
    const peft = (name: string, out: number, r: number, seed: number): Record<string, Made> => ({
      [`${key(name)}.lora_A.weight`]: numbers([r, 5], seed),
      [`${key(name)}.lora_B.weight`]: numbers([out, r], seed + 1),
    });
    const adapter = await memoryAdapter({ ...peft("attn.to_q", 5, 2, 1), ...peft("attn.to_v", 5, 3, 3), ...peft("proj_mlp", 20, 1, 5) });
    expect(shapes(await through(adapter, "comfyui"))).toEqual({
      "diffusion_model.single_blocks.1.linear1.alpha": [],
      "diffusion_model.single_blocks.1.linear1.lora_down.weight": [6, 5],
      "diffusion_model.single_blocks.1.linear1.lora_up.weight": [35, 6],
    });
  });

  test("LoKr over a fused weight is refused, LoHa is cut exactly", async () => {
    const name = "lora_unet_double_blocks_0_img_attn_qkv";
    const lokr = await memoryAdapter({
      [`${name}.lokr_w1`]: numbers([3, 2]),
      [`${name}.lokr_w2_a`]: numbers([6, 2]),
      [`${name}.lokr_w2_b`]: numbers([2, 3]),
    });
    await expect(convertAdapter(lokr, { to: "peft" })).rejects.toMatchObject({
      kind: "nothing-left",
      message: expect.stringMatching(/LOKR cannot be cut exactly; diffusers keeps 3/) as unknown,
    });
    const halves = Object.fromEntries(["hada_w1_a", "hada_w2_a"].map((suffix, i) => [`${name}.${suffix}`, numbers([18, 2], i)]));
    const rest = Object.fromEntries(["hada_w1_b", "hada_w2_b"].map((suffix, i) => [`${name}.${suffix}`, numbers([2, 6], i + 2)]));
    expect((await through(await memoryAdapter({ ...halves, ...rest }), "peft")).modules.size).toBe(3);
  });

  test("DoRA goes with its rows", async () => {
    const name = "lora_unet_double_blocks_0_img_attn_qkv";
    const parts = await through(await memoryAdapter({ ...lora(name, [2, 6, 18]), [`${name}.dora_scale`]: numbers([18, 1]) }), "diffusers");
    expect(shapes(parts)["transformer.transformer_blocks.0.attn.to_v.lora_magnitude_vector"]).toEqual([6]);
  });
});

describe("shift and scale", () => {
  const rows = async (adapter: OpenedAdapter, name: string): Promise<number[]> => [
    ...new Float32Array((await adapter.weights.read(name)).data.slice().buffer),
  ];

  test("of the final layer change places, and back", async () => {
    const name = "lora_unet_final_layer_adaLN_modulation_1";
    const adapter = await memoryAdapter({ ...lora("lora_unet_double_blocks_0_img_mod_lin", [1, 2, 12]), ...lora(name, [1, 2, 4]) });
    const there = await through(adapter, "diffusers");
    const [before, after] = [await rows(adapter, `${name}.lora_up.weight`), await rows(there, "transformer.norm_out.linear.lora_B.weight")];
    expect(after).toEqual([...before.slice(2), ...before.slice(0, 2)]);
    const back = await through(there, "comfyui", { base: await memoryFile({ "double_blocks.0.img_mod.lin.weight": { shape: [12, 2] } }) });
    expect(await rows(back, "diffusion_model.final_layer.adaLN_modulation.1.lora_up.weight")).toEqual(before);
  });

  test("of SD3's last context block, which only its shape tells", async () => {
    const [name, last] = [
      "lora_unet_joint_blocks_0_context_block_adaLN_modulation_1",
      "lora_unet_joint_blocks_1_context_block_adaLN_modulation_1",
    ];
    const adapter = await memoryAdapter({ ...lora(name, [1, 2, 12]), ...lora(last, [1, 2, 4]) });
    const there = await through(adapter, "diffusers");
    const [first, second] = [await rows(adapter, `${name}.lora_up.weight`), await rows(adapter, `${last}.lora_up.weight`)];
    expect(await rows(there, "transformer.transformer_blocks.0.norm1_context.linear.lora_B.weight")).toEqual(first);
    expect(await rows(there, "transformer.transformer_blocks.1.norm1_context.linear.lora_B.weight")).toEqual([
      ...second.slice(2),
      ...second.slice(0, 2),
    ]);
  });
});

describe("names", () => {
  test("of a transformer that may be Flux's or SD3's need the base", async () => {
    const adapter = await memoryAdapter({
      "transformer.transformer_blocks.0.attn.to_q.lora_A.weight": numbers([2, 6]),
      "transformer.transformer_blocks.0.attn.to_q.lora_B.weight": numbers([6, 2]),
    });
    await expect(convertAdapter(adapter, { to: "kohya" })).rejects.toMatchObject({
      kind: "unknown-model",
      hint: expect.stringMatching(/--base/) as unknown,
    });
    const base = await memoryFile({ "joint_blocks.0.x_block.attn.qkv.weight": { shape: [18, 6] } });
    const { files } = await convertAdapter(adapter, { to: "kohya", base });
    expect([...files[0]!.modules.keys()]).toEqual(["lora_unet_joint_blocks_0_x_block_attn_qkv"]);
  });

  test("of a model that has one kind of names stay", async () => {
    const adapter = await memoryAdapter(lora("diffusion_model.blocks.7.cross_attn.q", [2, 3, 4]));
    expect([...(await convertAdapter(adapter, { to: "kohya" })).files[0]!.modules.keys()]).toEqual(["lora_unet_blocks_7_cross_attn_q"]);
  });

  test("that flatten to one are an error, not a loss", async () => {
    const adapter = await memoryAdapter({ ...lora("diffusion_model.a.b_c", [1, 2, 2]), ...lora("diffusion_model.a_b.c", [1, 2, 2]) });
    await expect(convertAdapter(adapter, { to: "kohya" })).rejects.toMatchObject({ kind: "duplicate-key" });
  });

  test("of SDXL are the original's in kohya's files, of SD 1 diffusers'", async () => {
    const key = (path: string): Record<string, Made> => ({
      [`unet.${path}.lora_A.weight`]: numbers([1, 2]),
      [`unet.${path}.lora_B.weight`]: numbers([2, 1]),
    });
    const name = async (...paths: string[]): Promise<string[]> => {
      const adapter = await memoryAdapter(Object.assign({}, ...paths.map(key)) as Record<string, Made>);
      return [...(await convertAdapter(adapter, { to: "kohya" })).files[0]!.modules.keys()].toSorted();
    };
    const [both, sd, sdxl] = [
      "up_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
      "up_blocks.3.attentions.0.transformer_blocks.0.attn1.to_q",
      "up_blocks.0.attentions.0.transformer_blocks.9.attn1.to_q",
    ];
    expect(await name(both, sd)).toEqual([
      "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
      "lora_unet_up_blocks_3_attentions_0_transformer_blocks_0_attn1_to_q",
    ]);
    await expect(name(both)).rejects.toMatchObject({ kind: "unknown-model", message: expect.stringMatching(/sd, sdxl/) as unknown });
    expect(await name(both, sdxl)).toEqual([
      "lora_unet_output_blocks_0_1_transformer_blocks_9_attn1_to_q",
      "lora_unet_output_blocks_3_1_transformer_blocks_0_attn1_to_q",
    ]);
  });
});

describe("PEFT's adapters", () => {
  const q = "base_model.model.model.layers.0.self_attn.q_proj";
  const open = async (config: object, tensors: Record<string, Made>): Promise<OpenedAdapter> => {
    return openAdapter(
      { config: { peft_type: "LORA", r: 2, lora_alpha: 6, ...config }, weights: await memoryFile(tensors) },
      { methods: ADAPTER_METHODS },
    );
  };
  const factors = { [`${q}.lora_A.weight`]: numbers([2, 3]), [`${q}.lora_B.weight`]: numbers([4, 2]) };

  test("with rsLoRA keep their scale: alpha becomes lora_alpha·√r", async () => {
    const written = await through(await open({ use_rslora: true }, factors), "lycoris");
    const [module] = written.modules.values();
    expect([module!.name, (module!.config as { alpha: number }).alpha]).toEqual([
      "lycoris_model_layers_0_self_attn_q_proj",
      Math.fround(6 * Math.SQRT2),
    ]);
  });

  test("with a bias on B, which readers of kohya's kind drop, are refused", async () => {
    const adapter = await open({ lora_bias: true }, { ...factors, [`${q}.lora_B.bias`]: numbers([4]) });
    for (const to of ["lycoris", "comfyui", "kohya"] as const)
      await expect(convertAdapter(adapter, { to })).rejects.toMatchObject({
        message: expect.stringMatching(/a bias on B \(lora_bias\) has no name/) as unknown,
      });
  });

  test("with whole tensors, biases or methods of their own lose them, or are refused", async () => {
    const adapter = await open({ modules_to_save: ["head"] }, { ...factors, "base_model.model.head.weight": numbers([2, 2]) });
    await expect(convertAdapter(adapter, { to: "lycoris" })).rejects.toMatchObject({
      kind: "lossy-conversion",
      message: expect.stringMatching(/head\.weight: whole tensors of the base have no form/) as unknown,
    });
    expect((await convertAdapter(adapter, { to: "lycoris", allowLoss: true })).losses).toHaveLength(1);
    const ia3 = await open({ peft_type: "IA3", target_modules: ["q_proj"], feedforward_modules: [] }, { [`${q}.ia3_l`]: numbers([4, 1]) });
    await expect(convertAdapter(ia3, { to: "kohya" })).rejects.toMatchObject({ kind: "not-convertible" });
    await expect(convertAdapter(await open({}, factors), { to: "kohya" })).rejects.toMatchObject({
      message: expect.stringMatching(/kohya has no name for a model that is no part of a pipeline/) as unknown,
    });
  });
});

describe("what is more than its factors", () => {
  test("is refused: the base that it changed, the tokens behind which it acts", async () => {
    const q = "base_model.model.model.layers.0.self_attn.q_proj";
    const weights = await memoryFile({ [`${q}.lora_A.weight`]: numbers([2, 3]), [`${q}.lora_B.weight`]: numbers([4, 2]) });
    for (const [field, why] of [
      [{ init_lora_weights: "pissa" }, /"pissa", which changed the base/],
      [{ alora_invocation_tokens: [1] }, /behind its invocation tokens/],
    ] as const)
      await expect(
        convertAdapter(await openAdapter({ config: { peft_type: "LORA", r: 2, ...field }, weights }, { methods: ADAPTER_METHODS }), {
          to: "lycoris",
        }),
      ).rejects.toMatchObject({ kind: "not-convertible", message: expect.stringMatching(why) as unknown });
  });

  test("magnitudes of some modules only, where the program has them for all or none", async () => {
    const [one, two] = ["lora_unet_mid_block_attentions_0_proj_in", "lora_unet_mid_block_attentions_0_proj_out"];
    const adapter = await memoryAdapter({ ...lora(one, [2, 3, 4]), ...lora(two, [2, 3, 4]), [`${one}.dora_scale`]: numbers([4, 1]) });
    for (const to of ["peft", "diffusers"] as const)
      await expect(convertAdapter(adapter, { to })).rejects.toMatchObject({
        message: expect.stringMatching(/proj_out has no magnitudes and others have/) as unknown,
      });
    expect((await through(adapter, "comfyui")).modules.size).toBe(2);
  });
});

describe("the proof", () => {
  test("fails for one wrong value, a wrong alpha, a missing module", async () => {
    const tensors = lora("lora_unet_mid_block_attentions_0_proj_in", [2, 3, 4]);
    const adapter = await memoryAdapter(tensors);
    const { files } = await convertAdapter(adapter, { to: "kohya" });
    const errorOf = async (changed: Record<string, Made>): Promise<number> =>
      (await verifyConversion(adapter, [{ file: files[0]!, adapter: await memoryAdapter(changed) }])).error;
    expect(await errorOf(tensors)).toBe(0);
    const [up, alpha] = ["lora_up.weight", "alpha"].map((suffix) => `lora_unet_mid_block_attentions_0_proj_in.${suffix}`) as [
      string,
      string,
    ];
    const data = (tensors[up]!.data as Float32Array).slice();
    data[3]! += 0.01;
    expect(await errorOf({ ...tensors, [up]: { ...tensors[up]!, data } })).toBeGreaterThan(1e-4);
    expect(await errorOf({ ...tensors, [alpha]: { shape: [], data: Float32Array.of(2) } })).toBeGreaterThan(0.5);
    expect(await errorOf(lora("lora_unet_other", [2, 3, 4]))).toBe(Infinity);
  });
});
