import type { SafetensorsDType } from "../dtypes.js";

/** How a checkpoint's quantised weights are known: by what lies beside them. */
export interface QuantizationFormat {
  /** For people. */
  readonly name: string;
  /** `quant_method` of config.json's `quantization_config`. */
  readonly methods: readonly string[];
  /** Names behind the module's path that must all be there; `*_blocks` is a parameter's own name with an ending. */
  readonly parts: readonly string[];
  /** Dtypes of `weight`, where the parts alone do not tell. */
  readonly dtypes?: readonly SafetensorsDType[];
  /** Which axis of `qweight` several values of a word lie along, where the parts alone do not tell. */
  readonly packed?: "inputs" | "outputs";
}

const FLOAT8: readonly SafetensorsDType[] = ["F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"];
const scaled = (name: string, part: string, methods: readonly string[] = []): QuantizationFormat => ({
  name,
  methods,
  parts: [part],
  dtypes: FLOAT8,
});

/**
 * The formats in the order in which they are tried: the first whose parts are all there is it.
 * @see transformers `quantizers/`, `integrations/`; bitsandbytes `nn/modules.py`; AutoGPTQ; AutoAWQ; compressed-tensors; ComfyUI `comfy/ops.py`;
 *   mlx `nn/layers/quantized.py`; ModelOpt `export/`
 */
export const QUANTIZATION_FORMATS: readonly QuantizationFormat[] = [
  { name: "bitsandbytes NF4", methods: ["bitsandbytes"], parts: ["weight.quant_state.bitsandbytes__nf4"] },
  { name: "bitsandbytes FP4", methods: ["bitsandbytes"], parts: ["weight.quant_state.bitsandbytes__fp4"] },
  { name: "bitsandbytes 4-bit", methods: ["bitsandbytes"], parts: ["weight.absmax"] },
  { name: "bitsandbytes int8", methods: ["bitsandbytes"], parts: ["SCB"] },
  { name: "GPTQ", methods: ["gptq", "auto-round"], parts: ["qweight", "g_idx"] },
  { name: "GPTQ", methods: ["gptq", "auto-round"], parts: ["qweight", "scales"], packed: "inputs" },
  { name: "AWQ", methods: ["awq"], parts: ["qweight", "scales"], packed: "outputs" },
  { name: "GPTQ or AWQ", methods: ["gptq", "awq", "auto-round"], parts: ["qweight"] },
  { name: "NVFP4 (compressed-tensors)", methods: ["compressed-tensors"], parts: ["weight_packed", "weight_global_scale"] },
  { name: "compressed-tensors, packed", methods: ["compressed-tensors"], parts: ["weight_packed"] },
  { name: "NVFP4 (ModelOpt)", methods: ["modelopt", "nvfp4"], parts: ["weight_scale_2"] },
  { name: "MXFP4", methods: ["mxfp4"], parts: ["*_blocks", "*_scales"] },
  scaled("FP8 in blocks", "weight_scale_inv", ["fp8"]),
  scaled("scaled FP8", "weight_scale", ["fp8", "fbgemm_fp8", "compressed-tensors"]),
  scaled("scaled FP8 (ComfyUI)", "scale_weight"),
  scaled("scaled FP8 (ComfyUI)", "comfy_quant"),
  scaled("scaled FP8", "input_scale", ["fp8"]),
  scaled("scaled FP8 (ComfyUI)", "scale_input"),
  { name: "BitNet", methods: ["bitnet"], parts: ["weight_scale"], dtypes: ["U8"] },
  { name: "int8 with scales (compressed-tensors)", methods: ["compressed-tensors"], parts: ["weight_scale"], dtypes: ["I8"] },
  { name: "EETQ", methods: ["eetq"], parts: ["weight_scales"] },
  { name: "HQQ", methods: ["hqq"], parts: ["W_q"] },
  { name: "quanto", methods: ["quanto"], parts: ["weight._data"] },
  { name: "quanto", methods: ["quanto"], parts: ["weight._packed"] },
  { name: "torchao", methods: ["torchao"], parts: ["_weight_qdata"] },
  { name: "SpQR", methods: ["spqr"], parts: ["dense_weights"] },
  { name: "AQLM", methods: ["aqlm"], parts: ["codes", "codebooks"] },
  { name: "VPTQ", methods: ["vptq"], parts: ["centroids.weight"] },
  { name: "QuIP#", methods: ["quip"], parts: ["Qidxs"] },
  { name: "HIGGS", methods: ["higgs"], parts: ["tables", "scales"] },
  { name: "mlx", methods: [], parts: ["scales", "biases"], dtypes: ["U32"] },
];
