import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  add,
  checkpointOf,
  expectClose,
  floats,
  hashOf,
  type Matrix,
  matrix,
  product,
  stored,
  type StoredTensor,
  writeTensors,
} from "@weft/checkpoint/testing";
import { weftBuilt, temporaryFolder } from "../testing/cli.js";
const folder = temporaryFolder();
let made = 0;
const fresh = (): string => join(folder, `${made++}`);

describe("a pipeline's folder", () => {
  const [unet, te, te2] = [
    "mid_block.resnets.0.conv1",
    "text_model.encoder.layers.0.self_attn.q_proj",
    "text_model.encoder.layers.0.self_attn.q_proj",
  ];
  const kohya = {
    unet: `lora_unet_${unet.replaceAll(".", "_")}`,
    text_encoder: `lora_te1_${te.replaceAll(".", "_")}`,
    text_encoder_2: `lora_te2_${te2.replaceAll(".", "_")}`,
  };
  const sizes = { unet: 8, text_encoder: 6, text_encoder_2: 10 };
  const paths = { unet, text_encoder: te, text_encoder_2: te2 };
  type Part = keyof typeof paths;
  const parts = Object.keys(paths) as Part[];

  /** A pipeline, an adapter for three of its models, and what merging gives. */
  async function make(size: (part: Part) => number = (part) => sizes[part]) {
    const [root, adapter] = [fresh(), `${fresh()}.safetensors`];
    const [tensors, want] = [new Map<string, StoredTensor>(), new Map<Part, Matrix>()];
    for (const part of parts) {
      const [weight, down, up] = [matrix(size(part), size(part)), matrix(2, size(part)), matrix(size(part), 2)];
      const name = part === "unet" ? "diffusion_pytorch_model" : "model";
      await writeTensors(join(root, part, `${name}.safetensors`), new Map([[`${paths[part]}.weight`, stored(weight)]]));
      tensors.set(`${kohya[part]}.lora_down.weight`, stored(down)).set(`${kohya[part]}.lora_up.weight`, stored(up));
      want.set(part, add(weight, product(up, down)));
    }
    await writeTensors(join(root, "vae/diffusion_pytorch_model.safetensors"), new Map([["decoder.conv_in.weight", stored(matrix(4, 4))]]));
    writeFileSync(
      join(root, "model_index.json"),
      JSON.stringify({ _class_name: "P", ...Object.fromEntries([...parts, "vae"].map((part) => [part, []])) }),
    );
    await writeTensors(adapter, tensors);
    return { root, adapter, want };
  }
  const valuesOf = (out: string, part: Part): number[] => floats(checkpointOf(join(out, part)).get(`${paths[part]}.weight`)!);

  it("has each part merged into its folder, and the rest copied", async () => {
    const { root, adapter, want } = await make();
    const out = fresh();
    const { code, stderr } = await weftBuilt("merge", root, "-a", adapter, "-o", out);
    expect(code, stderr).toBe(0);
    for (const part of parts) expectClose(valuesOf(out, part), want.get(part)!);
    for (const name of ["model_index.json", "vae/diffusion_pytorch_model.safetensors"])
      expect(hashOf(join(out, name))).toBe(hashOf(join(root, name)));
    expect((await weftBuilt("merge", root, "-a", adapter, "-o", out)).code).toBe(0);
  });

  it("is verified part by part, and all other files by their bytes", async () => {
    const { root, adapter } = await make();
    const out = fresh();
    expect((await weftBuilt("merge", root, "-a", adapter, "-o", out)).code).toBe(0);
    const verify = (): ReturnType<typeof weftBuilt> => weftBuilt("verify", out, "--base", root, "-a", adapter);
    expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringContaining("all 3 tensors") as unknown });
    await writeTensors(join(out, "unet/diffusion_pytorch_model.safetensors"), new Map([[`${paths.unet}.weight`, stored(matrix(8, 8))]]));
    writeFileSync(join(out, "model_index.json"), "{}");
    rmSync(join(out, "vae"), { recursive: true });
    const { code, stdout } = await verify();
    expect(code).toBe(4);
    for (const part of [
      `unet: ${paths.unet}.weight has other values`,
      "model_index.json is not",
      "vae/diffusion_pytorch_model.safetensors is not",
    ])
      expect(stdout).toContain(part);
  });

  it("with two transformers (Wan 2.2) takes an adapter for the one whose folder is named, and names both where none is", async () => {
    const [root, adapter] = [fresh(), `${fresh()}.safetensors`];
    const path = "blocks.0.attn1.to_q";
    const [high, low, down, up] = [matrix(8, 8), matrix(8, 8), matrix(2, 8), matrix(8, 2)];
    await writeTensors(join(root, "transformer/diffusion_pytorch_model.safetensors"), new Map([[`${path}.weight`, stored(high)]]));
    await writeTensors(join(root, "transformer_2/diffusion_pytorch_model.safetensors"), new Map([[`${path}.weight`, stored(low)]]));
    writeFileSync(join(root, "model_index.json"), JSON.stringify({ _class_name: "WanPipeline", transformer: [], transformer_2: [] }));
    const key = "diffusion_model.blocks.0.self_attn.q";
    await writeTensors(
      adapter,
      new Map([
        [`${key}.lora_down.weight`, stored(down)],
        [`${key}.lora_up.weight`, stored(up)],
      ]),
    );
    const whole = fresh();
    const { code, stderr } = await weftBuilt("merge", root, "-a", adapter, "-o", whole);
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/for transformer or for transformer_2 .*[^]*\/transformer or \S+\/transformer_2/) as unknown,
    ]);
    expect(existsSync(whole)).toBe(false);
    const out = fresh();
    expect((await weftBuilt("merge", join(root, "transformer_2"), "-a", adapter, "-o", out)).code).toBe(0);
    expectClose(floats(checkpointOf(out).get(`${path}.weight`)!), add(low, product(up, down)));
  });

  it("says which encoder it is by shapes, else by its folder, else not at all", async () => {
    const { root, adapter, want } = await make(() => 6);
    for (const part of ["text_encoder", "text_encoder_2"] as const) {
      const out = fresh();
      const { code, stderr } = await weftBuilt("merge", join(root, part), "-a", adapter, "-o", out);
      expect(code, stderr).toBe(0);
      expectClose([...checkpointOf(out).values()].flatMap(floats), want.get(part)!);
    }
    const elsewhere = join(fresh(), "model.safetensors");
    mkdirSync(dirname(elsewhere));
    cpSync(join(root, "text_encoder/model.safetensors"), elsewhere);
    const { code, stderr } = await weftBuilt("merge", elsewhere, "-a", adapter, "-o", fresh());
    expect([code, stderr]).toEqual([2, expect.stringMatching(/lora_te1_\S+ and lora_te2_\S+ are both for/) as unknown]);
  });

  it("names the folders where it cannot be known which part is meant, and writes nothing", async () => {
    const { root, adapter } = await make();
    rmSync(join(root, "text_encoder_2"), { recursive: true });
    const out = fresh();
    const { code, stderr } = await weftBuilt("merge", root, "-a", adapter, "-o", out);
    expect([code, stderr]).toEqual([
      4,
      expect.stringMatching(/it is for te2, and .* has no folder for that[^]*unet, .*text_encoder/) as unknown,
    ]);
    expect(existsSync(out)).toBe(false);
    const inspected = await weftBuilt("inspect", root);
    expect([inspected.code, inspected.stderr]).toEqual([
      2,
      expect.stringMatching(/pipeline of several models[^]*unet, transformer/) as unknown,
    ]);
  });
});
