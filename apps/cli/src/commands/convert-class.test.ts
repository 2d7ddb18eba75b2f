import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { matrix, stored, tensorsOf, writeTensors } from "@weft/checkpoint/testing";
import { temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const H = 8;
const attention = "transformer_blocks.0.attn";
const parts = ["to_q", "to_k", "to_v"];

/** A model of which little but attentions is there, as FLUX.1, SD 3 and others have them, of a width that none has. */
async function base(className: string): Promise<string> {
  const at = join(folder, className);
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "config.json"), JSON.stringify({ _class_name: className }));
  await writeTensors(
    join(at, "diffusion_pytorch_model.safetensors"),
    new Map(parts.map((part) => [`${attention}.${part}.weight`, stored(matrix(H, H))])),
  );
  return at;
}

describe("the class in a base's config.json", async () => {
  const adapter = join(folder, "adapter.safetensors");
  const make = writeTensors(
    adapter,
    new Map(
      parts.flatMap((part) => [
        [`transformer.${attention}.${part}.lora_A.weight`, stored(matrix(2, H))] as const,
        [`transformer.${attention}.${part}.lora_B.weight`, stored(matrix(H, 2))] as const,
      ]),
    ),
  );
  const convert = async (className: string, out: string): ReturnType<typeof weft> => {
    await make;
    return weft("convert", adapter, "--to", "kohya", "--base", await base(className), "-o", out);
  };

  it.each([
    ["FluxTransformer2DModel", "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"],
    ["SD3Transformer2DModel", "lora_unet_joint_blocks_0_x_block_attn_qkv.lora_up.weight"],
  ])("decides where names and shapes leave several families: %s", async (className, key) => {
    const out = join(folder, `${className}.safetensors`);
    const { code, stderr } = await convert(className, out);
    expect(code, stderr).toBe(0);
    expect(tensorsOf(out).has(key)).toBe(true);
  });

  it.each(["LTX2VideoTransformer3DModel", "WanTransformer3DModel"])(
    "is refused where it has other names than the tensors: %s",
    async (className) => {
      const { code, stderr } = await convert(className, join(folder, "refused.safetensors"));
      expect([code, stderr]).toEqual([4, expect.stringMatching(new RegExp(`config.json says ${className}.*flux`)) as unknown]);
    },
  );
});
