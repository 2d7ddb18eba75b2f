import { describe, expect, it } from "vitest";
import {
  add,
  checkpointOf,
  expectClose,
  f32,
  floats,
  kron,
  type Matrix,
  matrix,
  product,
  scalar,
  stack,
  stored,
  type StoredTensor,
  vector,
} from "@weft/checkpoint/testing";
import { weftBuilt } from "../testing/cli.js";
import { mergingFolder } from "../testing/merging-folder.js";
const { fresh, file, merged } = mergingFolder();

const PARTS = ["to_q", "to_k", "to_v"] as const;
const H = 8;
/** Thirds of the rows. */
const partsOf = (m: Matrix): readonly [Matrix, Matrix, Matrix] => [m.slice(0, H), m.slice(H, 2 * H), m.slice(2 * H)];

describe("split adapters on a fused base", () => {
  const root = "model.diffusion_model.layers.0.attention.";
  const [fused, out] = [matrix(3 * H, H), matrix(H, H)];
  const base = { [`${root}qkv.weight`]: stored(fused), [`${root}out.weight`]: stored(out) };
  const key = (part: string): string => `lora_unet_layers_0_attention_${part}`;

  it("LoRA of q, k and v changes the rows of each, and nothing else", async () => {
    const factors = ["to_q", "to_v", "to_out_0"].map((part) => [part, matrix(2, H), matrix(H, 2)] as const);
    const adapter = Object.assign(
      {},
      ...factors.map(([part, down, up]) => ({
        [`${key(part)}.lora_down.weight`]: stored(down),
        [`${key(part)}.lora_up.weight`]: stored(up),
        [`${key(part)}.alpha`]: scalar(1),
      })),
    ) as Record<string, StoredTensor>;
    const get = await merged(base, adapter);
    const delta = (part: string): Matrix => {
      const found = factors.find(([name]) => name === part);
      return found ? product(found[2], found[1]) : matrix(H, H).map((row) => row.map(() => 0));
    };
    expectClose(get(`${root}qkv.weight`), add(fused, stack(...PARTS.map(delta)), 0.5));
    expectClose(get(`${root}out.weight`), add(out, delta("to_out_0"), 0.5));
  });

  it("a file that has the fused weight and its parts is refused: nothing would say that they are the same change", async () => {
    const factors = (name: string, rows: number): Record<string, StoredTensor> => ({
      [`${key(name)}.lora_down.weight`]: stored(matrix(2, H)),
      [`${key(name)}.lora_up.weight`]: stored(matrix(rows, 2)),
    });
    const adapter = await file({ ...factors("to_q", H), ...factors("qkv", 3 * H) });
    const { code, stderr } = await weftBuilt("merge", await file(base), "-a", adapter, "-o", fresh());
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/attention_qkv and lora_unet_layers_0_attention_to_q are both for/) as unknown,
    ]);
  });

  it("so does LoKr, and DoRA with the norms of its own rows", async () => {
    const [w1, w2] = [matrix(2, 2), matrix(H / 2, H / 2)];
    const [down, up, magnitude] = [matrix(2, H), matrix(H, 2), matrix(H, 1)];
    const get = await merged(base, {
      [`${key("to_k")}.lokr_w1`]: stored(w1),
      [`${key("to_k")}.lokr_w2`]: stored(w2),
      [`${key("to_q")}.lora_down.weight`]: stored(down),
      [`${key("to_q")}.lora_up.weight`]: stored(up),
      [`${key("to_q")}.dora_scale`]: stored(magnitude),
      [`${key("to_q")}.alpha`]: scalar(2),
    });
    const [q, k, v] = partsOf(fused);
    const moved = add(q, product(up, down));
    const dora = moved.map((row, i) => row.map((x) => (x * magnitude[i]![0]!) / Math.hypot(...row)));
    expectClose(get(`${root}qkv.weight`), stack(dora, add(k, kron(w1, w2)), v));
  });

  it("DoRA over input columns needs the whole of its part, and has it", async () => {
    const [down, up, magnitude] = [matrix(2, H), matrix(H, 2), matrix(1, H)];
    const get = await merged(base, {
      [`${key("to_v")}.lora_down.weight`]: stored(down),
      [`${key("to_v")}.lora_up.weight`]: stored(up),
      [`${key("to_v")}.dora_scale`]: stored(magnitude),
    });
    const [q, k, v] = partsOf(fused);
    const moved = add(v, product(up, down));
    const norms = moved[0]!.map((_, j) => Math.hypot(...moved.map((row) => row[j]!)));
    expectClose(
      get(`${root}qkv.weight`),
      stack(
        q,
        k,
        moved.map((row) => row.map((x, j) => (x * magnitude[0]![j]!) / norms[j]!)),
      ),
    );
  });
});

describe("XLabs' files", () => {
  it("change the first rows of linear1, which the original keeps in one", async () => {
    const name = "single_blocks.0.linear1";
    const [weight, down, up] = [matrix(7 * H, H), matrix(2, H), matrix(3 * H, 2)];
    const key = "single_blocks.0.processor.qkv_lora";
    const get = await merged(
      { [`${name}.weight`]: stored(weight) },
      { [`${key}.down.weight`]: stored(down), [`${key}.up.weight`]: stored(up) },
    );
    expectClose(get(`${name}.weight`), stack(add(weight.slice(0, 3 * H), product(up, down)), weight.slice(3 * H)));
    const adapter = await file({ [`${key}.down.weight`]: stored(down), [`${key}.up.weight`]: stored(up) });
    const { code, stderr } = await weftBuilt("convert", adapter, "--to", "kohya", "-o", fresh());
    expect([code, stderr]).toEqual([2, expect.stringMatching(/no name for rows of linear1/) as unknown]);
  });
});

describe("fused adapters on a split base", () => {
  it("LoKr, which cannot be cut, changes all parts", async () => {
    const weights = PARTS.map(() => matrix(H, H));
    const at = (part: string): string => `transformer_blocks.0.attn.${part}`;
    const base = Object.fromEntries(PARTS.map((part, i) => [`${at(part)}.weight`, stored(weights[i]!)]));
    const single = { "single_transformer_blocks.0.norm.linear.weight": stored(matrix(3 * H, H)) };
    const [w1, w2] = [matrix(3, 2), matrix(H, H / 2)];
    const name = "lora_unet_double_blocks_0_img_attn_qkv";
    const get = await merged({ ...base, ...single }, { [`${name}.lokr_w1`]: stored(w1), [`${name}.lokr_w2`]: stored(w2) });
    const delta = kron(w1, w2);
    PARTS.forEach((part, i) => expectClose(get(`${at(part)}.weight`), add(weights[i]!, delta.slice(i * H, (i + 1) * H))));
  });

  it("halves that lie the other way round change places", async () => {
    const [weight, down, up] = [matrix(2 * H, H), matrix(1, H), matrix(2 * H, 1)];
    const base = {
      "norm_out.linear.weight": stored(weight),
      "single_transformer_blocks.0.norm.linear.weight": stored(matrix(3 * H, H)),
    };
    const name = "lora_unet_final_layer_adaLN_modulation_1";
    const get = await merged(base, { [`${name}.lora_down.weight`]: stored(down), [`${name}.lora_up.weight`]: stored(up) });
    const delta = product(up, down);
    expectClose(get("norm_out.linear.weight"), add(weight, stack(delta.slice(H), delta.slice(0, H))));
  });
});

describe("changes beside a method", () => {
  const [q, ffn] = ["blocks.0.self_attn.q", "blocks.0.ffn.0"];
  const weights = { [q]: matrix(H, H), [ffn]: matrix(2 * H, H) };
  const bias = matrix(1, H);
  const [norm, modulation] = [matrix(1, H), matrix(6, H)];
  const base = {
    [`${q}.weight`]: stored(weights[q]!),
    [`${q}.bias`]: vector(bias[0]!),
    [`${ffn}.weight`]: stored(weights[ffn]!),
    "blocks.0.self_attn.norm_q.weight": vector(norm[0]!),
    "blocks.0.modulation": f32([1, 6, H], (i) => modulation.flat()[i]!),
  };
  const key = (module: string): string => `diffusion_model.${module}`;

  it("of biases, norms and modulations are applied as trained, at the adapter's strength", async () => {
    const [down, up, b, n, m] = [matrix(2, H), matrix(H, 2), matrix(1, H), matrix(1, H), matrix(6, H)];
    const adapter = {
      [`${key(q)}.lora_down.weight`]: stored(down),
      [`${key(q)}.lora_up.weight`]: stored(up),
      [`${key(q)}.diff_b`]: vector(b[0]!),
      [`${key("blocks.0.self_attn.norm_q")}.diff`]: vector(n[0]!),
      [`${key("blocks.0")}.diff_m`]: f32([1, 6, H], (i) => m.flat()[i]!),
    };
    const get = await merged(base, adapter, ":0.5");
    expectClose(get(`${q}.weight`), add(weights[q]!, product(up, down), 0.5));
    expectClose(get(`${q}.bias`), add(bias, b, 0.5));
    expectClose(get("blocks.0.self_attn.norm_q.weight"), add(norm, n, 0.5));
    expectClose(get("blocks.0.modulation"), add(modulation, m, 0.5));
    expect(get(`${ffn}.weight`)).toEqual(weights[ffn]!.flat());
  });

  it("leave a weight that they do not change as it is, bit for bit; a bias that the base lacks is named", async () => {
    const zero = { ...base, [`${q}.weight`]: f32([H, H], () => -0) };
    const get = await merged(zero, { [`${key(q)}.diff_b`]: vector(matrix(1, H)[0]!) });
    expect(get(`${q}.weight`).every((x) => Object.is(x, -0))).toBe(true);
    const adapter = await file({ [`${key(ffn)}.diff_b`]: vector(matrix(1, 2 * H)[0]!) });
    const { code, stderr } = await weftBuilt("merge", await file(base), "-a", adapter, "-o", fresh());
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/blocks\.0\.ffn\.0\.weight: .*has a bias, but the base layer has none/) as unknown,
    ]);
  });
});

describe("an adapter for images on a model of text alone", () => {
  it("leaves the image input out, and says so; other modules that the base lacks are an error", async () => {
    const q = "blocks.0.cross_attn.q";
    const weight = matrix(H, H);
    const [down, up] = [matrix(2, H), matrix(H, 2)];
    const factors = (module: string): Record<string, StoredTensor> => ({
      [`diffusion_model.${module}.lora_A.weight`]: stored(down),
      [`diffusion_model.${module}.lora_B.weight`]: stored(up),
    });
    const base = await file({ [`${q}.weight`]: stored(weight), "blocks.0.ffn.0.weight": stored(matrix(H, H)) });
    const out = fresh();
    const { code, stderr } = await weftBuilt(
      "merge",
      base,
      "-a",
      await file({ ...factors(q), ...factors("blocks.0.cross_attn.k_img") }),
      "-o",
      out,
    );
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/1 module of the image input \(image to video\) left out: the base does not hold it/) as unknown,
    ]);
    expectClose(floats(checkpointOf(out).get(`${q}.weight`)!), add(weight, product(up, down)));
    expect(
      (await weftBuilt("merge", base, "-a", await file({ ...factors(q), ...factors("blocks.1.cross_attn.q") }), "-o", fresh())).code,
    ).not.toBe(0);
  });
});

describe("text encoders in a checkpoint of SDXL", () => {
  it("in OpenCLIP's names are found, their fused projection by rows, and not taken for the other one", async () => {
    const [first, second] = [
      "conditioner.embedders.0.transformer.text_model.encoder.layers.0.",
      "conditioner.embedders.1.model.transformer.resblocks.0.",
    ];
    const [one, fused, fc] = [matrix(H, H), matrix(3 * H, H), matrix(2 * H, H)];
    const bias = matrix(1, 3 * H);
    const base = {
      "model.diffusion_model.input_blocks.4.1.proj_in.weight": stored(matrix(H, H)),
      [`${first}self_attn.q_proj.weight`]: stored(one),
      [`${second}attn.in_proj_weight`]: stored(fused),
      [`${second}attn.in_proj_bias`]: vector(bias[0]!),
      [`${second}mlp.c_fc.weight`]: stored(fc),
    };
    const factors = ["self_attn_k_proj", "mlp_fc1"].map((name) => [name, matrix(2, H), matrix(name === "mlp_fc1" ? 2 * H : H, 2)] as const);
    const adapter = Object.assign(
      {},
      ...factors.map(([name, down, up]) => ({
        [`lora_te2_text_model_encoder_layers_0_${name}.lora_down.weight`]: stored(down),
        [`lora_te2_text_model_encoder_layers_0_${name}.lora_up.weight`]: stored(up),
      })),
    ) as Record<string, StoredTensor>;
    const get = await merged(base, adapter);
    const [k, mlp] = factors.map(([, down, up]) => product(up, down)) as [Matrix, Matrix];
    expectClose(get(`${second}attn.in_proj_weight`), stack(fused.slice(0, H), add(fused.slice(H, 2 * H), k), fused.slice(2 * H)));
    expectClose(get(`${second}mlp.c_fc.weight`), add(fc, mlp));
    expect(get(`${first}self_attn.q_proj.weight`)).toEqual(one.flat());
    expect(get(`${second}attn.in_proj_bias`)).toEqual(bias.flat());
  });
});
