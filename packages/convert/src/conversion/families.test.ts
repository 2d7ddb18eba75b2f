import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, describe, test } from "vitest";
import { NAME_MAPS } from "@weft/adapter-files/dialects";
import { type Made, numbers } from "@weft/adapter-files/testing";
import { memoryAdapter } from "../testing/memory-adapter.js";
import { reopened } from "./testing/reopened.js";
import { convertAdapter } from "./convert-adapter.js";
import { verifyConversion } from "./verify.js";

/** Made of diffusers' converters and model classes: fixtures/make_diffusion_names.py. */
interface FamilyFixture {
  readonly class: string;
  readonly modules: readonly (readonly [original: string, diffusers: string])[];
}

const fixture = (family: string): FamilyFixture =>
  JSON.parse(
    readFileSync(fileURLToPath(new URL(`../../../../fixtures/diffusion-names/${family}.json`, import.meta.url)), "utf8"),
  ) as FamilyFixture;

/** Rows that all fused weights divide: 3, 5 and 7 parts, and halves. */
const ROWS = 210;

const pair = (name: string, seed: number): Record<string, Made> => ({
  [`${name}.lora_down.weight`]: numbers([1, 3], seed),
  [`${name}.lora_up.weight`]: numbers([ROWS, 1], seed + 1),
});

describe.each(Object.keys(NAME_MAPS))("%s", (family) => {
  const { class: className, modules } = fixture(family);
  const attribute = className.startsWith("UNet") ? "unet" : "transformer";
  const originals = [...new Set(modules.map(([original]) => original))];
  const names = new Set(modules.map(([, diffusers]) => `${attribute}.${diffusers}`));

  test("kohya's and ComfyUI's files become what its pipeline reads, by the names of its class", async () => {
    for (const [prefix, flat] of [
      ["diffusion_model.", false],
      ["lora_unet_", true],
    ] as const) {
      const tensors = originals.map((name, i) => pair(prefix + (flat ? name.replaceAll(".", "_") : name), i));
      const adapter = await memoryAdapter(Object.assign({}, ...tensors) as Record<string, Made>);
      const { files, notes, losses } = await convertAdapter(adapter, { to: "diffusers" });
      expect([notes, losses]).toEqual([[], []]);
      expect(new Set(files[0]!.modules.keys())).toEqual(names);
      const { error } = await verifyConversion(adapter, [{ file: files[0]!, adapter: await reopened(files[0]!) }]);
      expect(error).toBe(0);
    }
  });

  test("diffusers' files become the original's", async () => {
    const tensors = [...names].map((name, i) => ({
      [`${name}.lora_A.weight`]: numbers([1, 3], i),
      [`${name}.lora_B.weight`]: numbers([6, 1], i + 1),
    }));
    const adapter = await memoryAdapter(Object.assign({}, ...tensors) as Record<string, Made>);
    const { files } = await convertAdapter(adapter, { to: "comfyui" });
    expect(new Set(files[0]!.modules.keys())).toEqual(new Set(originals.map((name) => `diffusion_model.${name}`)));
  });
});

test("names of no known model are not written as if they were", async () => {
  const adapter = await memoryAdapter(pair("lora_unet_future_blocks_0_attention_to_q", 0));
  await expect(convertAdapter(adapter, { to: "diffusers" })).rejects.toMatchObject({ kind: "unknown-model" });
  const unknown = await memoryAdapter({
    ...pair("lora_unet_double_blocks_0_img_mod_lin", 0),
    ...pair("lora_unet_double_blocks_0_txt_mod_lin", 1),
    ...pair("lora_unet_double_blocks_0_mystery", 2),
  });
  await expect(convertAdapter(unknown, { to: "comfyui" })).rejects.toMatchObject({
    kind: "lossy-conversion",
    message: expect.stringMatching(/double_blocks_0_mystery: .* has no original name/) as unknown,
  });
});
