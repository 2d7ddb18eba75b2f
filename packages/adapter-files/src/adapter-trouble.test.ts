import { ADAPTER_METHODS } from "@weft/methods";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { memoryAdapter } from "./testing/memory-adapter.js";
import { type Made, memoryFile, numbers } from "./testing/memory-file.js";
import { openAdapterFolder } from "./node/open-adapter-folder.js";
import { openAdapter } from "./open-adapter.js";
import type { OpenedAdapter } from "./opened-adapter.js";

const Q = "base_model.model.model.layers.0.self_attn.q_proj";
const pair = (path: string, r = 2): Record<string, Made> => ({
  [`${path}.lora_A.weight`]: numbers([r, 3], 1),
  [`${path}.lora_B.weight`]: numbers([4, r], 2),
});
const peft = async (config: object | string | Uint8Array, tensors: Record<string, Made>): Promise<OpenedAdapter> =>
  openAdapter(
    {
      config: typeof config === "string" || config instanceof Uint8Array ? config : { peft_type: "LORA", r: 2, lora_alpha: 8, ...config },
      weights: await memoryFile(tensors),
    },
    { methods: ADAPTER_METHODS },
  );

describe("tensors that are there twice", () => {
  // The names that PEFT 0.21.2 gives the head of a BertForSequenceClassification with bias="all".
  const head = "base_model.model.classifier";
  const config = { bias: "all", modules_to_save: ["classifier", "score"] };
  const tensors = {
    ...pair(Q),
    [`${head}.bias`]: numbers([3], 5),
    [`${head}.modules_to_save.bias`]: numbers([3], 5),
    [`${head}.original_module.bias`]: numbers([3], 6),
    [`${head}.weight`]: numbers([3, 2]),
  };

  test("equal copies are one parameter; what a saved module was before is no tensor of its own", async () => {
    const { modulesToSave, biases, unknown } = await peft(config, tensors);
    expect([[...modulesToSave.keys()], biases.size]).toEqual([["classifier.bias", "classifier.weight"], 0]);
    expect(unknown).toEqual([]);
  });

  test("copies that differ are refused", async () => {
    await expect(peft(config, { ...tensors, [`${head}.modules_to_save.bias`]: numbers([3], 7) })).rejects.toMatchObject({
      kind: "duplicate-key",
      message: expect.stringMatching(/classifier\.bias and .*modules_to_save\.bias are the same parameter, and differ/) as unknown,
    });
  });
});

describe("what is no whole adapter", () => {
  test("empty tensors are what ZeRO-3 leaves", async () => {
    const refused = { kind: "zero3-leftovers", hint: expect.stringMatching(/zero_to_fp32\.py/) as unknown };
    await expect(peft({}, { [`${Q}.lora_A.weight`]: { shape: [0] }, [`${Q}.lora_B.weight`]: { shape: [0] } })).rejects.toMatchObject(
      refused,
    );
    await expect(
      peft({ modules_to_save: ["lm_head"] }, { ...pair(Q), "base_model.model.lm_head.weight": { shape: [0] } }),
    ).rejects.toMatchObject({
      ...refused,
      tensor: "base_model.model.lm_head.weight",
    });
    await expect(
      memoryAdapter({ "lora_unet_a.lora_down.weight": { shape: [0] }, "lora_unet_a.lora_up.weight": { shape: [0] } }),
    ).rejects.toThrow();
  });

  test.each(["A", "B"])("a module whose lora_%s is missing", async (letter) => {
    const { [`${Q}.lora_${letter}.weight`]: _, ...half } = pair(Q);
    await expect(peft({}, half)).rejects.toMatchObject({
      kind: "missing-tensor",
      message: expect.stringContaining(`lora_${letter}.weight is not`) as unknown,
    });
  });

  test.each<[string, Record<string, number[]>]>([
    ["LoCon", { "lora_down.weight": [2, 3], "lora_up.weight": [4, 2] }],
    ["LoHa", { hada_w1_a: [4, 2], hada_w1_b: [2, 3], hada_w2_a: [4, 2], hada_w2_b: [2, 3] }],
    ["LoKr", { lokr_w1: [2, 3], lokr_w2_a: [2, 1], lokr_w2_b: [1, 2] }],
    ["GLoRA", { "a1.weight": [3, 2], "a2.weight": [2, 3], "b1.weight": [4, 2], "b2.weight": [2, 3] }],
    ["T-LoRA", { "q_layer.weight": [2, 3], "p_layer.weight": [4, 2], lambda_layer: [1, 2] }],
  ])("a LyCORIS module with a part of its %s", async (_, shapes) => {
    const whole = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`lycoris_a.${name}`, numbers(shape)]));
    expect([...(await memoryAdapter(whole)).modules.keys()]).toEqual(["lycoris_a"]);
    for (const name of Object.keys(shapes)) {
      const { [`lycoris_a.${name}`]: _left, ...half } = whole;
      const message = expect.stringMatching(new RegExp(`^lycoris_a: .*is in the file, .*${name}.* not`)) as unknown;
      await expect(memoryAdapter(half), name).rejects.toMatchObject({ kind: "missing-tensor", message });
    }
  });

  test("a full model beside an adapter's config", async () => {
    await expect(
      peft({ modules_to_save: ["lm_head"] }, { "model.embed_tokens.weight": numbers([4, 3]), "lm_head.weight": numbers([4, 3]) }),
    ).rejects.toMatchObject({ kind: "not-an-adapter", message: expect.stringContaining("model.embed_tokens.weight") as unknown });
  });

  describe("a folder", () => {
    let folder: string;
    beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "weft-trouble-"))));
    afterEach(() => rmSync(folder, { recursive: true }));
    const put = (...path: string[]): string => {
      const file = join(folder, ...path);
      mkdirSync(join(file, ".."), { recursive: true });
      writeFileSync(file, "");
      return file;
    };

    test("without an adapter of its own names the checkpoints that hold one", async () => {
      put("checkpoint-100", "adapter_config.json");
      put("runs", "events");
      await expect(openAdapterFolder(folder, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
        kind: "not-found",
        hint: `adapters are in ${join(folder, "checkpoint-100")}`,
      });
    });

    test.each([
      ["fsdp-checkpoint", "__0_0.distcp", /accelerate merge-weights/],
      ["deepspeed-checkpoint", "zero_to_fp32.py", /zero_to_fp32\.py/],
      ["deepspeed-checkpoint", "mp_rank_00_model_states.pt", /zero_to_fp32\.py/],
    ])("of a %s says how to gather it (%s)", async (kind, name, hint) => {
      put(name);
      await expect(openAdapterFolder(folder, { methods: ADAPTER_METHODS })).rejects.toMatchObject({
        kind,
        hint: expect.stringMatching(hint) as unknown,
      });
    });

    test("with a web page in place of its tensors", async () => {
      writeFileSync(put("adapter_config.json"), '{"peft_type": "LORA"}');
      writeFileSync(put("adapter_model.safetensors"), "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>");
      await expect(openAdapterFolder(folder, { methods: ADAPTER_METHODS })).rejects.toMatchObject({ kind: "html" });
    });
  });
});

test("a config may begin with a byte order mark", async () => {
  const { config } = await peft(Buffer.from('\ufeff{"peft_type": "LORA", "r": 2, "lora_alpha": 6}'), pair(Q));
  expect(config.values).toMatchObject({ r: 2, loraAlpha: 6 });
});

describe("alpha that no config says", () => {
  const configs = ({ modules }: OpenedAdapter): unknown[] => [...modules.values()].map(({ config }) => config);
  const bare = { ...pair(Q), ...pair("base_model.model.model.layers.1.mlp.down_proj", 1) };

  test("PEFT's tensors alone: refused, or with the ranks of the shapes and the alpha that is given", async () => {
    await expect(memoryAdapter(bare)).rejects.toMatchObject({ kind: "missing-config", hint: expect.stringMatching(/--alpha/) as unknown });
    const { config, modules, alphaAssumed } = await memoryAdapter(bare, {}, { alpha: 6 });
    expect(config.values).toMatchObject({ loraAlpha: 6, useDora: false, loraBias: false });
    expect([modules.size, alphaAssumed]).toEqual([2, undefined]);
    const looked = await memoryAdapter(bare, {}, { assumeAlpha: true });
    expect([looked.alphaAssumed, looked.warnings.at(-1)]).toMatchObject([true, { kind: "unknown-alpha" }]);
  });

  test("mlx-lm's tensors alone: the same, with alpha / rank for its scale", async () => {
    const mlx = { "a.q.lora_a": numbers([3, 2]), "a.q.lora_b": numbers([2, 4]) };
    await expect(memoryAdapter(mlx)).rejects.toMatchObject({ kind: "missing-config" });
    expect(configs(await memoryAdapter(mlx, {}, { alpha: 40 }))).toMatchObject([{ r: 2, loraAlpha: 40 }]);
    expect((await memoryAdapter(mlx, {}, { assumeAlpha: true })).alphaAssumed).toBe(true);
  });

  const kohya = {
    "lora_unet_a.lora_down.weight": numbers([2, 3]),
    "lora_unet_a.lora_up.weight": numbers([4, 2]),
    "lora_unet_c.lora_down.weight": numbers([2, 3, 3, 3]),
    "lora_unet_c.lora_up.weight": numbers([4, 2, 1, 1]),
  };

  test("kohya's header is asked, and that is told", async () => {
    const { warnings, ...adapter } = await memoryAdapter(kohya, {
      ss_network_alpha: "1.0",
      ss_network_args: '{"conv_dim": "2", "conv_alpha": "0.5"}',
    });
    expect(configs({ ...adapter, warnings })).toMatchObject([{ alpha: 1 }, { alpha: 0.5 }]);
    expect(warnings).toEqual([
      { kind: "alpha-in-header", message: expect.stringMatching(/ss_network_alpha = 1 \(convolutions: 0\.5\)/) as unknown },
    ]);
  });

  test("without it the readers' rule holds, scale 1, and that is told", async () => {
    const { warnings, ...adapter } = await memoryAdapter(kohya, { ss_network_alpha: "Dynamic" });
    expect(configs({ ...adapter, warnings })).toMatchObject([{ alpha: null }, { alpha: null }]);
    expect(warnings).toEqual([
      { kind: "no-alpha", message: expect.stringMatching(/no alpha is in the file, so the scale is 1/) as unknown },
    ]);
    expect(configs(await memoryAdapter(kohya, {}, { alpha: 4 }))).toMatchObject([{ alpha: 4 }, { alpha: 4 }]);
  });

  test("an alpha that the adapter has cannot be given", async () => {
    const known = { kind: "alpha-known" };
    const alpha = { shape: [], data: Float32Array.of(1) };
    await expect(memoryAdapter({ ...kohya, "lora_unet_a.alpha": alpha }, {}, { alpha: 4 })).rejects.toMatchObject(known);
    await expect(
      openAdapter({ config: { peft_type: "LORA", r: 2 }, weights: await memoryFile(pair(Q)) }, { methods: ADAPTER_METHODS, alpha: 4 }),
    ).rejects.toMatchObject(known);
  });
});
