import { CapabilityError, cast, type LayerSpec, type Params, sub, type Tensor } from "@weft/tensor-core";
import { qr, truncatedSvd } from "@weft/tensor-core/linalg";
import { type LoraConfigFields, loraScaling } from "../lora/config.js";
import { plainDelta } from "../lora/factors.js";
import { loraVariant } from "../variants/variants.js";
import { baseChange } from "./base-change.js";
import { hostMatrix, pickColumns, pickRows, range, toTensor } from "./host-matrix.js";

/** PiSSA (Meng et al. 2024): W = U·S·Vᵀ; A = √(S_r/s)·V_rᵀ, B = U_r·√(S_r/s). OLoRA (Büyükakyüz 2024): W = Q·R; the first r columns of Q and rows of R. */
export async function decompose(config: LoraConfigFields, layer: LayerSpec, weight: Tensor): Promise<Params> {
  const w = await hostMatrix(weight, layer);
  const first = range(Math.min(config.r, w.rows, w.cols));
  if (config.initLoraWeights === "olora") {
    const { q, r } = qr(w);
    return { A: toTensor(pickRows(r, first)), B: toTensor(pickColumns(q, first)) };
  }
  const { u, s, vt } = truncatedSvd(w, config.r);
  const root = s.map((value) => Math.sqrt(value / loraScaling(config)));
  return { A: toTensor(pickRows(vt, first, root)), B: toTensor(pickColumns(u, first, root)) };
}

/**
 * Plain factors A and B whose s·B·A the beginning of an adapter took out of its base, found from the base weight again, as PEFT does on loading;
 * undefined where the base stayed as it was.
 * @throws CapabilityError kind `base-changed-by-init` where they do not follow from the weight
 */
export async function removedFactors(config: LoraConfigFields, layer: LayerSpec, weight: Tensor): Promise<Params | undefined> {
  const change = baseChange(config);
  if (!change) return undefined;
  if (!change.determined)
    throw new CapabilityError(change.why, {
      kind: "base-changed-by-init",
      hint: change.remedy,
    });
  return (await loraVariant(config)?.removed?.(config, layer, weight)) ?? decompose(config, layer, weight);
}

/** W - s·B·A in the dtype of W. */
export function withoutFactors(weight: Tensor, factors: Params, config: LoraConfigFields, layer: LayerSpec): Tensor {
  return cast(sub(cast(weight, "f32"), plainDelta(factors, { layer, config, scale: 1 })), weight.dtype);
}

/** The base weight that an adapter was trained on, out of the original one; that itself where nothing changed it. @throws CapabilityError as `removedFactors` */
export async function residualWeight(config: LoraConfigFields, layer: LayerSpec, weight: Tensor): Promise<Tensor> {
  const removed = await removedFactors(config, layer, weight);
  return removed ? withoutFactors(weight, removed, config, layer) : weight;
}
