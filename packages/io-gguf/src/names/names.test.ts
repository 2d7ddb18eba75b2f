import { describe, expect, it } from "vitest";
import { permuteHeads, tensorNames } from "../index.js";

describe("names of tensors", () => {
  it.each([
    ["llama", "blk.12.attn_q.weight", "model.layers.12.self_attn.q_proj.weight", { placement: "q-heads" }],
    ["llama", "blk.0.attn_k.bias", "model.layers.0.self_attn.k_proj.bias", { placement: "k-heads" }],
    ["llama", "output_norm.weight", "model.norm.weight", undefined],
    ["llama", "output.weight", "lm_head.weight", undefined],
    ["qwen2", "blk.1.attn_q.bias", "model.layers.1.self_attn.q_proj.bias", undefined],
    ["qwen3", "blk.1.attn_k_norm.weight", "model.layers.1.self_attn.k_norm.weight", undefined],
    ["gpt2", "blk.1.attn_qkv.weight", "transformer.h.1.attn.c_attn.weight", { placement: "transposed" }],
    ["gpt2", "blk.1.attn_qkv.bias", "transformer.h.1.attn.c_attn.bias", undefined],
    ["smollm3", "blk.3.attn_k.weight", "model.layers.3.self_attn.k_proj.weight", { placement: "k-heads" }],
    ["phi3", "blk.1.attn_qkv.weight", "model.layers.1.self_attn.qkv_proj.weight", undefined],
    ["phi3", "blk.1.ffn_up.weight", "model.layers.1.mlp.gate_up_proj.weight", undefined],
    ["gemma2", "blk.0.ffn_norm.weight", "model.layers.0.pre_feedforward_layernorm.weight", { values: "plus-one" }],
    ["gemma3", "blk.0.attn_q_norm.weight", "model.layers.0.self_attn.q_norm.weight", { values: "plus-one" }],
    ["gemma3", "blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", undefined],
    ["mamba", "blk.1.ssm_conv1d.weight", "backbone.layers.1.mixer.conv1d.weight", { form: "kernel" }],
    ["mamba", "blk.1.ssm_conv1d.bias", "backbone.layers.1.mixer.conv1d.bias", undefined],
    ["mamba", "blk.1.ssm_a", "backbone.layers.1.mixer.A_log", { values: "minus-exp" }],
    ["mamba", "blk.1.ssm_dt.bias", "backbone.layers.1.mixer.dt_proj.bias", undefined],
    ["mamba2", "blk.1.ssm_a", "backbone.layers.1.mixer.A_log", { values: "minus-exp", form: "column" }],
    ["mamba2", "blk.1.ssm_dt.bias", "backbone.layers.1.mixer.dt_bias", undefined],
    ["mamba2", "blk.1.ssm_norm.weight", "backbone.layers.1.mixer.norm.weight", { form: "groups" }],
    ["bert", "blk.5.layer_output_norm.bias", "bert.encoder.layer.5.output.LayerNorm.bias", undefined],
  ])("%s: %s is %s", (architecture, gguf, hf, difference) => {
    const { toHf, toGguf } = tensorNames(architecture);
    expect(toHf(gguf)).toEqual({ name: hf, ...difference });
    expect(toGguf(hf)).toEqual({ name: gguf, ...difference });
  });

  it("of a model without a head have no prefix", () => {
    expect(tensorNames("gpt2").toGguf("h.3.ln_2.bias")).toEqual({ name: "blk.3.ffn_norm.bias" });
    expect(tensorNames("llama").toGguf("layers.3.mlp.up_proj.weight")).toEqual({ name: "blk.3.ffn_up.weight" });
  });

  it("that the other side does not have are undefined", () => {
    const { toHf, toGguf } = tensorNames("llama");
    for (const name of ["rope_freqs.weight", "blk.attn_q.weight", "blk.0.attn_q", "blk.0.attn_q_norm.weight", "blk.0.ssm_a"])
      expect(toHf(name)).toBeUndefined();
    for (const name of ["model.layers.0.self_attn.rotary_emb.inv_freq", "model.layers.N.input_layernorm.weight", ""])
      expect(toGguf(name)).toBeUndefined();
  });

  it("of an unknown architecture are an error", () => {
    expect(() => tensorNames("constructor")).toThrowError(expect.objectContaining({ kind: "unsupported-model" }));
  });
});

describe("rows of heads", () => {
  // Two heads of six rows of two bytes: halves 0 1 2 and 3 4 5 become neighbours 0 3, 1 4, 2 5.
  const rows = (order: readonly number[]): Uint8Array => Uint8Array.from(order.flatMap((row) => [row, 100 + row]));
  const hf = rows([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  const gguf = rows([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);

  it("move to the order of llama.cpp and back", () => {
    expect(permuteHeads(hf, 12, 2, "gguf")).toEqual(gguf);
    expect(permuteHeads(gguf, 12, 2, "hf")).toEqual(hf);
  });

  it("must be of whole heads", () => {
    expect(() => permuteHeads(hf, 12, 5, "gguf")).toThrow("12 rows of 24 bytes, expected 5 heads");
    expect(() => permuteHeads(hf, 9, 1, "gguf")).toThrow("9 rows");
  });
});
