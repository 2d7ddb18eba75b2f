import { ADAPTER_METHODS } from "@weft/methods";
import type { LocatedTensor, WeightSource } from "@weft/io-safetensors";
import { describe, expect, test } from "vitest";
import { openAdapter } from "../open-adapter.js";
import { matchAdapter } from "../report/match-adapter.js";
import { detectDialect } from "./detect-dialect.js";
import { DIALECTS } from "./dialects.js";
import { memoryAdapter } from "../testing/memory-adapter.js";
import { type Made, memoryFile, numbers } from "../testing/memory-file.js";

const pair = (module: string, down = "lora_down.weight", up = "lora_up.weight"): Record<string, Made> => ({
  [`${module}.${down}`]: numbers([2, 3]),
  [`${module}.${up}`]: numbers([4, 2], 1),
});
const alpha = (value: number): Made => ({ shape: [], data: Float32Array.of(value) });

describe("detection", () => {
  test.each<[string, Record<string, Made>, Record<string, string>]>([
    ["kohya", pair("lora_unet_mid_block_attentions_0_proj_in"), {}],
    ["kohya", { "oft_unet_down_blocks_0_attentions_0_proj_in.oft_blocks": numbers([2, 2, 2]) }, {}],
    [
      "lycoris",
      { "lycoris_model_layers_0_mlp_up_proj.lokr_w1": numbers([2, 2]), "lycoris_model_layers_0_mlp_up_proj.lokr_w2": numbers([2, 2]) },
      {},
    ],
    ["diffusers", pair("unet.mid_block.attentions.0.proj_in", "lora_A.weight", "lora_B.weight"), {}],
    ["diffusers-middle", pair("unet.mid_block.attentions.0.proj_in", "lora.down.weight", "lora.up.weight"), {}],
    [
      "diffusers-middle",
      pair("text_encoder.text_model.encoder.layers.0.mlp.fc1", "lora_linear_layer.down.weight", "lora_linear_layer.up.weight"),
      {},
    ],
    ["diffusers-old", pair("unet.mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora", "down.weight", "up.weight"), {}],
    ["diffusers-old", pair("mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out_lora", "down.weight", "up.weight"), {}],
    ["comfyui", pair("diffusion_model.double_blocks.0.img_attn.qkv"), {}],
    ["comfyui", pair("text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1", "lora_A.weight", "lora_B.weight"), {}],
    [
      "control-lora",
      { ...pair("input_blocks.1.1.proj_in", "down", "up"), lora_controlnet: { shape: [0] }, "zero_convs.0.0.weight": numbers([2, 2]) },
      {},
    ],
    [
      "ai-toolkit",
      {
        ...pair("transformer.transformer_blocks.0.attn.to_q", "lora_A.weight", "lora_B.weight"),
        "transformer.transformer_blocks.0.attn.to_q.magnitude": numbers([4]),
      },
      {},
    ],
    ["ai-toolkit", pair("diffusion_model.blocks.0.attn.q", "lora_A.weight", "lora_B.weight"), { software: '{"name": "ai-toolkit"}' }],
    [
      "onetrainer",
      { ...pair("lora_transformer_transformer_blocks_0_attn_to_q"), ...pair("lora_te1_text_model_encoder_layers_0_mlp_fc1") },
      {},
    ],
    [
      "onetrainer",
      {
        ...pair("lora_unet_mid_block_attentions_0_proj_in"),
        ...pair("unet.up_blocks.0.resnets.0.conv1", "lora_A.weight", "lora_B.weight"),
      },
      {},
    ],
    ["onetrainer", pair("lora_unet_mid_block_attentions_0_proj_in"), { ot_branch: "master" }],
    ["kohya", pair("lora_unet__blocks_0_cross_attn_k"), {}],
    ["xlabs", pair("double_blocks.0.processor.qkv_lora1", "down.weight", "up.weight"), {}],
    ["xlabs", pair("diffusion_model.single_blocks.7.processor.proj_lora", "down.weight", "up.weight"), {}],
    ["own-paths", pair("blocks.0.self_attn.q", "lora_A.default.weight", "lora_B.default.weight"), {}],
    ["own-paths", pair("transformer_blocks.3.attn.add_q_proj"), {}],
    ["diffusers", pair("transformer.x_embedder", "lora_A.my-lora.weight", "lora_B.my-lora.weight"), {}],
    ["mlx", { "model.layers.0.self_attn.q_proj.lora_a": numbers([3, 2]), "model.layers.0.self_attn.q_proj.lora_b": numbers([2, 4]) }, {}],
  ])("%s", async (name, tensors, metadata) => {
    const adapter = await memoryAdapter(tensors, metadata, { assumeAlpha: true });
    expect([adapter.dialect, adapter.unknown]).toEqual([name, []]);
    expect(adapter.detection!.reason).toMatch(/of \d+ keys are as in/);
    expect(adapter.modules.size).toBeGreaterThan(0);
  });

  test("every dialect reads its own example", () => {
    for (const { name, example, readKey } of DIALECTS.values()) expect(readKey(example), name).toBeDefined();
  });

  test("keys of two dialects, neither of which holds the other, are ambiguous and name both", async () => {
    const file = await memoryFile({ ...pair("lora_unet_a"), ...pair("lycoris_b") });
    expect(() => detectDialect(file)).toThrow(
      expect.objectContaining({ kind: "ambiguous-dialect", message: expect.stringMatching(/kohya.*lycoris|lycoris.*kohya/) as unknown }),
    );
    const adapter = await openAdapter({ weights: file }, { methods: ADAPTER_METHODS, dialect: "kohya" });
    expect([adapter.modules.size, adapter.unknown.map(({ name }) => name)]).toEqual([
      1,
      ["lycoris_b.lora_down.weight", "lycoris_b.lora_up.weight"],
    ]);
  });

  test("adapters' names in keys: one is read, of several the one that is named", async () => {
    const q = "transformer.transformer_blocks.0.attn.to_q";
    const two = {
      ...pair(q, "lora_A.one.weight", "lora_B.one.weight"),
      ...pair(q, "lora_A.two.weight", "lora_B.two.weight"),
      [`${q}.lora_magnitude_vector.two`]: numbers([4]),
    };
    const weights = await memoryFile(two);
    await expect(openAdapter({ weights }, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
      kind: "several-adapters",
      message: expect.stringMatching(/several adapters: one, two/) as unknown,
    });
    await expect(openAdapter({ weights }, { methods: ADAPTER_METHODS, adapterName: "three" })).rejects.toMatchObject({
      kind: "no-such-adapter",
    });
    const { modules, warnings, unknown } = await openAdapter({ weights }, { methods: ADAPTER_METHODS, adapterName: "two" });
    expect([...modules.get(q)!.tensors.values()].map(({ name }) => name).toSorted()).toEqual([
      `${q}.lora_A.two.weight`,
      `${q}.lora_B.two.weight`,
      `${q}.lora_magnitude_vector.two`,
    ]);
    expect([warnings[0], unknown]).toEqual([
      {
        kind: "other-adapters",
        message: expect.stringMatching(/^2 tensors of adapters other than two left out: .*lora_A\.one/) as unknown,
      },
      [],
    ]);
    const lokr = await memoryAdapter({
      [`diffusion_model.a.lokr_w1.default`]: numbers([2, 2]),
      [`diffusion_model.a.lokr_w2.default`]: numbers([2, 2]),
    });
    expect([...lokr.modules.values()].map(({ method }) => method)).toEqual(["LOKR"]);
  });

  test("a checkpoint is no adapter", async () => {
    expect(
      detectDialect(
        await memoryFile({ "model.layers.0.mlp.up_proj.weight": numbers([2, 2]), "a.up": numbers([1]), "a.down": numbers([1]) }),
      ),
    ).toBeUndefined();
    // A whole model of a known family, with parameters that are called as an adapter's are.
    const names = ["blocks.0.self_attn.q", "blocks.0.self_attn.k", "blocks.0.ffn.0", "patch_embedding"];
    const weights = Object.fromEntries(
      names.flatMap((name) => [
        [`${name}.weight`, numbers([2, 2])],
        [`diffusion_model.${name}.bias`, numbers([2])],
      ]),
    );
    const odd = Object.fromEntries(["blocks.0.diff", "head.diff_b", "gate.alpha", "x.up", "x.down"].map((name) => [name, numbers([2])]));
    expect(detectDialect(await memoryFile({ ...weights, ...odd }))).toBeUndefined();
    expect(
      detectDialect(await memoryFile({ "net.0.alpha": numbers([2]), "net.1.alpha": numbers([2]), "net.2.diff": numbers([2]) })),
    ).toBeUndefined();
  });
});

describe("scales", () => {
  const config = async (tensors: Record<string, Made>, metadata: Record<string, string> = {}): Promise<unknown> =>
    [...(await memoryAdapter(tensors, metadata)).modules.values()][0]!.config;
  test("alpha may have one axis or be an integer; without it the scale is 1", async () => {
    const name = "lora_unet_a";
    expect(await config({ ...pair(name), [`${name}.alpha`]: alpha(8) })).toMatchObject({ r: 2, alpha: 8 });
    expect(await config({ ...pair(name), [`${name}.alpha`]: { shape: [1], data: Float32Array.of(8) } })).toMatchObject({ alpha: 8 });
    expect(
      await config({ ...pair(name), [`${name}.alpha`]: { dtype: "I64", shape: [], data: new Uint8Array(BigInt64Array.of(8n).buffer) } }),
    ).toMatchObject({ alpha: 8 });
    expect(await config(pair(name))).toMatchObject({ r: 2, alpha: null });
  });

  test("an alpha that is given is for files that say none", async () => {
    const of = async (tensors: Record<string, Made>): Promise<unknown> =>
      [...(await openAdapter({ weights: await memoryFile(tensors) }, { methods: ADAPTER_METHODS, alpha: 4 })).modules.values()][0]!.config;
    expect(await of(pair("lora_unet_a"))).toMatchObject({ alpha: 4 });
    await expect(of({ ...pair("lora_unet_a"), "lora_unet_a.alpha": alpha(8) })).rejects.toMatchObject({ kind: "alpha-known" });
  });

  test("an alpha that is no number, and one of several, are errors", async () => {
    await expect(memoryAdapter({ ...pair("lora_unet_a"), "lora_unet_a.alpha": alpha(NaN) })).rejects.toMatchObject({
      kind: "config-schema",
    });
    await expect(memoryAdapter({ ...pair("lora_unet_a"), "lora_unet_a.alpha": numbers([2]) })).rejects.toMatchObject({
      kind: "size-mismatch",
    });
  });

  test("alpha 0 and rank 0 do nothing, and are told", async () => {
    const { modules, warnings } = await memoryAdapter({
      ...pair("lora_unet_a"),
      "lora_unet_a.alpha": alpha(0),
      "lora_unet_b.lora_down.weight": { shape: [0, 3] },
      "lora_unet_b.lora_up.weight": { shape: [4, 0] },
    });
    expect(modules.get("lora_unet_a")!.config).toMatchObject({ alpha: 0 });
    expect(warnings).toEqual([
      { kind: "without-effect", message: expect.stringMatching(/^2 modules with alpha or rank 0.*lora_unet_a, lora_unet_b/) as unknown },
    ]);
  });

  test("diffusers keeps alpha in the header, per component", async () => {
    const metadata = {
      lora_adapter_metadata: JSON.stringify({
        "unet.r": 2,
        "unet.lora_alpha": 6,
        "unet.alpha_pattern": { "b.c": 10 },
        "unet.use_rslora": false,
      }),
    };
    const key = (path: string): Record<string, Made> => pair(path, "lora_A.weight", "lora_B.weight");
    const { modules } = await memoryAdapter({ ...key("unet.a"), ...key("unet.b.c") }, metadata);
    expect([...modules.values()].map(({ config: { loraAlpha } = {} }) => loraAlpha)).toEqual([6, 10]);
  });

  test("mlx-lm's config has a scale, whatever the rank", async () => {
    const weights = await memoryFile({ "model.a.lora_a": numbers([3, 2]), "model.a.lora_b": numbers([2, 4]) });
    const open = (lora: object): Promise<unknown> =>
      openAdapter({ weights, config: { fine_tune_type: "lora", lora_parameters: lora } }, { methods: ADAPTER_METHODS });
    expect(await open({ rank: 2, scale: 10 })).toMatchObject({ dialect: "mlx", method: "LORA" });
    expect(
      [...(await openAdapter({ weights, config: { lora_parameters: { scale: 10 } } }, { methods: ADAPTER_METHODS })).modules.values()][0]!
        .config,
    ).toMatchObject({
      r: 2,
      loraAlpha: 20,
    });
    await expect(open({ rank: 2 })).rejects.toMatchObject({ kind: "config-schema" });
    await expect(openAdapter({ weights, config: { fine_tune_type: "full" } }, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
      kind: "config-schema",
    });
  });
});

describe("keys", () => {
  test("what diffusers' own converter leaves with dots and PEFT's name is put right", async () => {
    const { modules, unknown } = await memoryAdapter({ ...pair("lora_unet_a_b"), "lora_unet_a.b.lora_magnitude_vector": numbers([4]) });
    expect([unknown, modules.size, modules.get("lora_unet_a_b")!.tensors.get("dora_scale")!.shape]).toEqual([[], 1, [4, 1]]);
  });

  test("the same parameter twice is an error", async () => {
    await expect(memoryAdapter({ ...pair("lora_unet_a_b"), "lora_unet_a.b.lora_down.weight": numbers([2, 3]) })).rejects.toMatchObject({
      kind: "duplicate-key",
    });
  });

  test("parameters that the method does not know, and modules of no method, are reported", async () => {
    const { modules, unknown } = await memoryAdapter({
      ...pair("lora_unet_a"),
      "lora_unet_a.weight": numbers([2]),
      "lora_unet_b.alpha": alpha(1),
      "lora_unet_c.weight": numbers([2, 2]),
    });
    expect([[...modules.keys()], unknown.map(({ name }) => name).toSorted()]).toEqual([
      ["lora_unet_a"],
      ["lora_unet_a.weight", "lora_unet_b.alpha", "lora_unet_c.weight"],
    ]);
  });

  test("a control-LoRA's other tensors replace the base's", async () => {
    const { modulesToSave } = await memoryAdapter({
      ...pair("input_blocks.1.1.proj_in", "down", "up"),
      lora_controlnet: { shape: [0] },
      "zero_convs.0.0.weight": numbers([2, 2]),
    });
    expect([...modulesToSave.keys()]).toEqual(["zero_convs.0.0.weight"]);
  });
});

describe("hostile files stay cheap", () => {
  /** A source of names alone. */
  function named(shapes: ReadonlyMap<string, readonly number[]>): WeightSource {
    const info = (name: string): LocatedTensor => ({ name, dtype: "F32", shape: shapes.get(name)!, offset: 0, bytes: 4, file: "memory" });
    const rest = { location: "memory", metadata: new Map<string, string>(), warnings: [], close: () => Promise.resolve() };
    return {
      ...rest,
      names: () => shapes.keys(),
      has: (name) => shapes.has(name),
      info,
      read: () => Promise.reject(new Error("not read")),
    };
  }

  test("50,000 names, against a base of as many", async () => {
    const count = 25_000;
    const each = (make: (i: number) => string[]): Map<string, readonly number[]> =>
      new Map(Array.from({ length: count }, (_, i) => make(i)).flatMap((names) => names.map((name) => [name, [1, 1]] as const)));
    const file = named(each((i) => ["down", "up"].map((factor) => `lora_unet_blocks_${i}_to_q.lora_${factor}.weight`)));
    const base = named(each((i) => [`blocks.${i}.to_q.weight`, `blocks.${i}.to.q.weight`]));
    const report = await matchAdapter(await openAdapter({ weights: file }, { methods: ADAPTER_METHODS }), base);
    expect([report.matched.length, report.mismatched.length]).toEqual([0, count]);
  });

  test("long names, names full of separators, and one name that all flatten to", async () => {
    const long = `lora_unet_${"a_".repeat(1_000_000)}`;
    const tensors = {
      [`${long}.lora_down.weight`]: numbers([1, 1]),
      [`lora_unet_${".".repeat(4000)}.alpha`]: alpha(1),
      ...pair("lora_unet_ok"),
    };
    const { unknown, modules } = await openAdapter({ weights: await memoryFile(tensors) }, { methods: ADAPTER_METHODS, dialect: "kohya" });
    expect([unknown.length, modules.size]).toEqual([2, 1]);
    const same = Object.fromEntries(
      Array.from({ length: 2 ** 12 }, (_, i) => [
        `${i.toString(2).padStart(12, "0").replaceAll("0", "x_").replaceAll("1", "x.")}y.weight`,
        { shape: [4, 3] },
      ]),
    );
    const flat = await memoryAdapter(pair(`lora_unet_${"x_".repeat(12)}y`));
    expect((await matchAdapter(flat, await memoryFile(same))).mismatched).toHaveLength(1);
  });

  test("names that are properties of objects", async () => {
    const { modules } = await memoryAdapter({ ...pair("lora_unet___proto__"), ...pair("lora_unet_constructor") });
    expect([...modules.keys()].toSorted()).toEqual(["lora_unet___proto__", "lora_unet_constructor"]);
    expect(({} as { lora_down?: unknown }).lora_down).toBeUndefined();
  });
});
