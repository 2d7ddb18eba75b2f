import { describe, expect, test } from "vitest";
import type { SafetensorsDType } from "../dtypes.js";
import { findQuantization, type Quantization } from "./find-quantization.js";

type Tensors = Readonly<Record<string, readonly [SafetensorsDType, ...number[]]>>;
const find = (tensors: Tensors, method?: string): Quantization =>
  findQuantization(
    {
      names: () => Object.keys(tensors),
      info: (name) => {
        const [dtype, ...shape] = tensors[name]!;
        return { name, dtype, shape, bytes: 0, offset: 0, file: "memory" };
      },
    },
    method === undefined ? undefined : { quantization_config: { quant_method: method } },
  );
const Q = "model.layers.0.self_attn.q_proj";
const plain: Tensors = { "model.embed_tokens.weight": ["BF16", 8, 4], [`${Q}.bias`]: ["BF16", 4], "model.norm.weight": ["BF16", 4] };

describe("a quantised weight is known by what lies beside it", () => {
  // Names and dtypes as the programs write them: bitsandbytes 0.50, AutoGPTQ, AutoAWQ, compressed-tensors 0.20, DeepSeek V3, gpt-oss, ComfyUI, mlx-lm …
  test.each<[string, Tensors, string?]>([
    [
      "bitsandbytes NF4",
      {
        [`${Q}.weight`]: ["U8", 8, 1],
        [`${Q}.weight.absmax`]: ["U8", 1],
        [`${Q}.weight.quant_map`]: ["F32", 16],
        [`${Q}.weight.nested_absmax`]: ["F32", 1],
        [`${Q}.weight.quant_state.bitsandbytes__nf4`]: ["U8", 30],
      },
    ],
    ["bitsandbytes FP4", { [`${Q}.weight`]: ["U8", 8, 1], [`${Q}.weight.quant_state.bitsandbytes__fp4`]: ["U8", 30] }],
    ["bitsandbytes int8", { [`${Q}.weight`]: ["I8", 4, 4], [`${Q}.SCB`]: ["F32", 4], [`${Q}.weight_format`]: ["U8"] }],
    [
      "GPTQ",
      { [`${Q}.qweight`]: ["I32", 2, 16], [`${Q}.qzeros`]: ["I32", 1, 2], [`${Q}.scales`]: ["F16", 1, 16], [`${Q}.g_idx`]: ["I32", 16] },
    ],
    ["GPTQ", { [`${Q}.qweight`]: ["I32", 2, 16], [`${Q}.qzeros`]: ["I32", 1, 2], [`${Q}.scales`]: ["F16", 1, 16] }],
    ["AWQ", { [`${Q}.qweight`]: ["I32", 16, 2], [`${Q}.qzeros`]: ["I32", 1, 2], [`${Q}.scales`]: ["F16", 1, 16] }],
    ["AWQ", { [`${Q}.qweight`]: ["I32", 2, 16], [`${Q}.scales`]: ["F16", 1, 16] }, "awq"],
    [
      "compressed-tensors, packed",
      { [`${Q}.weight_packed`]: ["I32", 16, 2], [`${Q}.weight_scale`]: ["F16", 16, 1], [`${Q}.weight_shape`]: ["I64", 2] },
    ],
    [
      "NVFP4 (compressed-tensors)",
      { [`${Q}.weight_packed`]: ["U8", 16, 8], [`${Q}.weight_scale`]: ["F8_E4M3", 16, 1], [`${Q}.weight_global_scale`]: ["F32", 1] },
    ],
    ["NVFP4 (ModelOpt)", { [`${Q}.weight`]: ["U8", 16, 8], [`${Q}.weight_scale`]: ["F8_E4M3", 16, 1], [`${Q}.weight_scale_2`]: ["F32"] }],
    ["FP8 in blocks", { [`${Q}.weight`]: ["F8_E4M3", 4, 4], [`${Q}.weight_scale_inv`]: ["F32", 1, 1] }],
    ["scaled FP8", { [`${Q}.weight`]: ["F8_E4M3", 4, 4], [`${Q}.weight_scale`]: ["F32"], [`${Q}.input_scale`]: ["F32"] }],
    ["scaled FP8 (ComfyUI)", { [`${Q}.weight`]: ["F8_E4M3", 4, 4], [`${Q}.scale_weight`]: ["F32"], scaled_fp8: ["F8_E4M3", 2] }],
    ["int8 with scales (compressed-tensors)", { [`${Q}.weight`]: ["I8", 4, 4], [`${Q}.weight_scale`]: ["F16", 4, 1] }],
    ["BitNet", { [`${Q}.weight`]: ["U8", 1, 4], [`${Q}.weight_scale`]: ["BF16", 1] }],
    ["EETQ", { [`${Q}.weight`]: ["I8", 4, 4], [`${Q}.weight_scales`]: ["F16", 4] }],
    ["HQQ", { [`${Q}.W_q`]: ["U8", 8, 4], [`${Q}.scale`]: ["F16", 1, 4], [`${Q}.zero`]: ["F16", 1, 4] }],
    ["quanto", { [`${Q}.weight._data`]: ["I8", 4, 4], [`${Q}.weight._scale`]: ["F32", 4, 1] }],
    ["torchao", { [`${Q}._weight_qdata`]: ["I8", 4, 4], [`${Q}._weight_scale`]: ["F32", 4, 1] }],
    ["AQLM", { [`${Q}.codes`]: ["I16", 4, 1, 1], [`${Q}.codebooks`]: ["F16", 1, 256, 1, 8], [`${Q}.scales`]: ["F16", 4, 1, 1, 1] }],
    ["VPTQ", { [`${Q}.indices`]: ["I32", 4, 4], [`${Q}.centroids.weight`]: ["F16", 1, 64] }],
    ["mlx", { [`${Q}.weight`]: ["U32", 4, 1], [`${Q}.scales`]: ["F16", 4, 1], [`${Q}.biases`]: ["F16", 4, 1] }],
    ["new_method", { [`${Q}.weight`]: ["U8", 4, 2] }, "new_method"],
    ["U8 codes", { [`${Q}.weight`]: ["U8", 4, 2] }],
  ])("%s", (name, tensors, method) => {
    const { weights, formats, declared } = find({ ...plain, ...tensors }, method);
    expect([...weights]).toEqual([[Q, name]]);
    expect([...formats]).toEqual([[name, 1]]);
    expect(declared).toBe(method);
  });

  test("MXFP4 by the endings of a parameter's name", () => {
    const experts = "model.layers.0.mlp.experts";
    const { weights } = find({
      [`${experts}.gate_up_proj_blocks`]: ["U8", 2, 8, 1, 16],
      [`${experts}.gate_up_proj_scales`]: ["U8", 2, 8, 1],
    });
    expect([...weights]).toEqual([[`${experts}.gate_up_proj`, "MXFP4"]]);
  });
});

test("floats are not quantised, FP8 without scales among them, whatever the config says", () => {
  const { weights, declared } = find({ ...plain, [`${Q}.weight`]: ["F8_E4M3", 4, 4], position_ids: ["I64", 1, 4] }, "bitsandbytes");
  expect([[...weights], declared]).toEqual([[], "bitsandbytes"]);
});
