import { describe, expect, it } from "vitest";
import { weftBuilt } from "../testing/cli.js";
import { add, expectClose, matrix, product, stack, stored, type StoredTensor, vector } from "@weft/checkpoint/testing";
import { mergingFolder } from "../testing/merging-folder.js";
const { fresh, file, merged } = mergingFolder();

const H = 8;
const transposed = (m: ReturnType<typeof matrix>): number[][] => m[0]!.map((_, j) => m.map((row) => row[j]!));

it.each(["", "diffusion_model.", "transformer."])(
  "Z-Image's factors under diffusers' names of 2023 behind %j change the rows of a fused weight",
  async (prefix) => {
    const [qkv, feed, down, up] = [matrix(3 * H, H), matrix(2 * H, H), matrix(2, H), matrix(H, 2)];
    const base = { "layers.0.attention.qkv.weight": stored(qkv), "layers.0.feed_forward.w1.weight": stored(feed) };
    const key = `${prefix}layers.0.attention.to_k.lora`;
    const get = await merged(base, { [`${key}.down.weight`]: stored(down), [`${key}.up.weight`]: stored(up) });
    const k = add(qkv.slice(H, 2 * H), product(up, down));
    expectClose(get("layers.0.attention.qkv.weight"), stack(qkv.slice(0, H), k, qkv.slice(2 * H)));
  },
);

describe("Black Forest Labs' control LoRAs", () => {
  const block = "double_blocks.0.img_attn";
  const [weight, bias, norm] = [matrix(3 * H, H), matrix(1, 3 * H), matrix(1, 4)];
  const [down, up, b, scale] = [matrix(2, H), matrix(3 * H, 2), matrix(1, 3 * H), matrix(1, 4)];
  const adapter = {
    [`${block}.qkv.lora_A.weight`]: stored(down),
    [`${block}.qkv.lora_B.weight`]: stored(up),
    [`${block}.qkv.lora_B.bias`]: vector(b[0]!),
    [`${block}.norm.query_norm.scale`]: vector(scale[0]!),
  };
  const want = add(weight, product(up, down));
  const wantBias = add(bias, b);
  const single = { "single_blocks.0.linear1.weight": stored(matrix(7 * H, H)) };

  it("replace norms and change biases of the original's checkpoint", async () => {
    const base = {
      [`${block}.qkv.weight`]: stored(weight),
      [`${block}.qkv.bias`]: vector(bias[0]!),
      [`${block}.norm.query_norm.scale`]: vector(norm[0]!),
      ...single,
    };
    const get = await merged(base, adapter);
    expectClose(get(`${block}.qkv.weight`), want);
    expectClose(get(`${block}.qkv.bias`), wantBias);
    expect(get(`${block}.norm.query_norm.scale`)).toEqual(scale[0]);
  });

  it("and of diffusers' model", async () => {
    const at = "transformer_blocks.0.attn";
    const base: Record<string, StoredTensor> = {
      [`${at}.norm_q.weight`]: vector(norm[0]!),
      "single_transformer_blocks.0.norm.linear.weight": stored(matrix(3 * H, H)),
    };
    ["to_q", "to_k", "to_v"].forEach((part, i) => {
      base[`${at}.${part}.weight`] = stored(weight.slice(i * H, (i + 1) * H));
      base[`${at}.${part}.bias`] = vector(bias[0]!.slice(i * H, (i + 1) * H));
    });
    const get = await merged(base, adapter);
    expectClose(
      ["to_q", "to_k", "to_v"].flatMap((part) => get(`${at}.${part}.weight`)),
      want,
    );
    expectClose(
      ["to_q", "to_k", "to_v"].flatMap((part) => get(`${at}.${part}.bias`)),
      wantBias,
    );
    expect(get(`${at}.norm_q.weight`)).toEqual(scale[0]);
  });

  it("a change of a norm (`diff`) finds its scale", async () => {
    const base = { [`${block}.qkv.weight`]: stored(weight), [`${block}.norm.query_norm.scale`]: vector(norm[0]!), ...single };
    const get = await merged(base, {
      [`diffusion_model.${block}.norm.query_norm.diff`]: vector(scale[0]!),
      ...Object.fromEntries(
        ["lora_down", "lora_up"].map((name, i) => [`diffusion_model.${block}.qkv.${name}.weight`, stored([down, up][i]!)]),
      ),
    });
    expectClose(get(`${block}.norm.query_norm.scale`), add(norm, scale));
  });
});

/** FLUX.1 Fill reads the image, what is masked and the mask: 384 values a patch; dev and Kontext read 64. */
it("an adapter for the wider input of FLUX.1 Fill merges into Fill, and is refused for dev and Kontext with both shapes", async () => {
  const [down, up, other] = [matrix(2, 384), matrix(H, 2), matrix(7 * H, H)];
  const baseOf = (width: number): { img: ReturnType<typeof matrix>; tensors: Record<string, StoredTensor> } => {
    const img = matrix(H, width);
    return { img, tensors: { "img_in.weight": stored(img), "single_blocks.0.linear1.weight": stored(other) } };
  };
  const single = {
    "lora_unet_single_blocks_0_linear1.lora_down.weight": stored(matrix(2, H)),
    "lora_unet_single_blocks_0_linear1.lora_up.weight": stored(matrix(7 * H, 2)),
  };
  const adapter = { "lora_unet_img_in.lora_down.weight": stored(down), "lora_unet_img_in.lora_up.weight": stored(up), ...single };
  const { img, tensors } = baseOf(384);
  const get = await merged(tensors, adapter);
  expectClose(get("img_in.weight"), add(img, product(up, down)));
  const { code, stderr } = await weftBuilt("merge", await file(baseOf(64).tensors), "-a", await file(adapter), "-o", fresh());
  expect([code, stderr]).toEqual([2, expect.stringMatching(/img_in.weight.*\[2,384\].*\[8,64\]/) as unknown]);
});

it.each([6, H])("OpenCLIP's projection of the text [8, %i] is changed the other way round than transformers'", async (width) => {
  const root = "conditioner.embedders.1.model";
  const [projection, down, up] = [matrix(H, width), matrix(2, H), matrix(width, 2)];
  const adapter = { "lora_te2_text_projection.lora_down.weight": stored(down), "lora_te2_text_projection.lora_up.weight": stored(up) };
  const get = await merged(
    { [`${root}.text_projection`]: stored(projection), [`${root}.ln_final.weight`]: vector(matrix(1, H)[0]!) },
    adapter,
  );
  expectClose(get(`${root}.text_projection`), add(projection, transposed(product(up, down))));
  const own = matrix(width, H);
  const same = await merged(
    { "text_projection.weight": stored(own), "text_model.final_layer_norm.weight": vector(matrix(1, H)[0]!) },
    adapter,
  );
  expectClose(same("text_projection.weight"), add(own, product(up, down)));
});
