import {
  add,
  ConfigError,
  featuresOf,
  linear,
  matmul,
  mul,
  norm,
  type Params,
  sub,
  sum,
  swapLast,
  tensor,
  type Tensor,
  torchNormal,
  cast,
} from "@weft/tensor-core";
import { loraScaling } from "../lora/config.js";
import type { KasaFields } from "../lora/sub-configs.js";
import type { LoraVariant } from "./variant.js";

/** @throws ConfigError if nothing of the weight would be left */
function requireSmaller(r: number, least: number): void {
  if (r >= least) throw new ConfigError(`KaSA needs a rank below the weight's smaller side, which is ${least}, got r = ${r}`);
}

/**
 * KaSA (Wang et al. 2024): W' = W_{k-r} + s·B·diag(d)·A with the base cut to its k - r largest singular components, k = min(in, out), and a learned
 * diagonal d [r] (`lora_diag`). Linear layers, not stored [in, out].
 * @see peft `tuners/lora/variants.py` KasaLinearVariant
 */
export const KASA: LoraVariant = {
  name: "KaSA",
  field: "kasa_config",
  kinds: ["linear"],
  keys: { diag: ["lora_diag"] },
  parameters(plain, { r }, layer) {
    if (layer.transposed) throw new ConfigError("KaSA does not take weights stored [in, out] (fan_in_fan_out)");
    const { in: inputs, out } = featuresOf(layer);
    requireSmaller(r, Math.min(inputs, out));
    return { ...plain, diag: { shape: [r], init: { kind: "normal", std: 1 }, trainable: true } };
  },
  factors: ({ diag, ...rest }) => ({ ...rest, B: mul(rest.B!, diag!) }),
  init: (params, { r }, _, generator) => ({ ...params, diag: tensor(torchNormal(generator, r)) }),
  async removed(config, layer, weight) {
    const { hostMatrix, pickColumns, pickRows, range, torchSvd, toTensor } = await import("../init/on-demand.js");
    const w = await hostMatrix(weight, layer);
    const least = Math.min(w.rows, w.cols);
    requireSmaller(config.r, least);
    const { u, s, vt } = torchSvd(w, least);
    const smallest = range(config.r, least - config.r);
    return {
      A: toTensor(pickRows(vt, smallest)),
      B: toTensor(
        pickColumns(
          u,
          smallest,
          smallest.map((i) => s[i]! / loraScaling(config)),
        ),
      ),
    };
  },
};

/**
 * KaSA's regularisers of one layer, to be added to a training loss: beta·Σd² + gamma·(‖BᵀB − I‖ + ‖A·Aᵀ − I‖), norms of Frobenius.
 * @see Wang et al. 2024, eq. 9-11; peft `_kasa_layer_regularization_loss`
 */
export function kasaLoss({ A, B, diag }: Params, { beta, gamma }: KasaFields): Tensor {
  const [a, b, d] = [A!, B!, diag!].map((t) => cast(t, "f32")) as [Tensor, Tensor, Tensor];
  const r = d.shape[0]!;
  const eye = tensor(
    Float32Array.from({ length: r * r }, (_, i) => (i % (r + 1) === 0 ? 1 : 0)),
    { shape: [r, r] },
  );
  const distance = (gram: Tensor): Tensor => norm(sub(gram, eye));
  return add(mul(sum(mul(d, d)), beta), mul(add(distance(matmul(swapLast(b), b)), distance(linear(a, a))), gamma));
}
