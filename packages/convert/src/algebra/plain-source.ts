import { lowRankDelta } from "@weft/tensor-core/methods";
import { CapabilityError, fromBytes, type LayerSpec, type Tensor } from "@weft/tensor-core";
import { toCoreDType } from "@weft/io-safetensors";
import type { ConvertModule } from "../conversion/convert-module.js";
import type { LazyTensor } from "../conversion/lazy-tensor.js";
import type { Source } from "./combine-sources.js";

/** Convolutions by the number of axes of their weight. */
const CONVOLUTIONS = { 3: "conv1d", 4: "conv2d", 5: "conv3d" } as const;

/**
 * A plain LoRA's factors, read, on the layer that they tell of.
 * @param module one that `asPlainLora` gives
 * @throws CapabilityError kind `not-combinable` for what factors alone do not hold
 */
export async function plainSource({ parameters, scale, label }: ConvertModule, weight = 1): Promise<Source> {
  const other = [...parameters.keys()].find((name) => name !== "lora_down.weight" && name !== "lora_up.weight");
  if (other !== undefined)
    throw new CapabilityError(
      `${label}: a LoRA with ${other === "dora_scale" ? "magnitudes (DoRA)" : other} cannot be combined with others`,
      {
        kind: "not-combinable",
        tensor: label,
      },
    );
  const [A, B] = [await read(parameters.get("lora_down.weight")!), await read(parameters.get("lora_up.weight")!)];
  const layer = layerOf(A, B);
  return { A, B, scale, weight, layer, delta: () => lowRankDelta({ A, B, scale }, layer) };
}

async function read(t: LazyTensor): Promise<Tensor> {
  return fromBytes(await t.read(), t.shape, toCoreDType(t.dtype)!);
}

function layerOf(A: Tensor, B: Tensor): LayerSpec {
  const shape = [B.shape[0]!, ...A.shape.slice(1)];
  const common = { shape, dtype: "f32", bias: false } as const;
  if (shape.length === 2) return { ...common, kind: "linear" };
  const each = shape.slice(2);
  const conv = { stride: each.map(() => 1), padding: each.map(() => 0), dilation: each.map(() => 1), groups: 1 };
  return { ...common, kind: CONVOLUTIONS[shape.length as 3 | 4 | 5], conv };
}
