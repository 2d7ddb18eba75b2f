import { cast, ConfigError, zeros } from "@weft/tensor-core";
import type { LoraVariant } from "./variant.js";

/**
 * MiCA (2026): B is frozen to the left singular vectors of the base weight with the r smallest singular values; A begins at 0 and is trained. Linear layers
 * (B of an embedding [vocabulary, d]: of its transpose).
 * @see peft `tuners/lora/layer.py` mica_init, `variants.py` MiCALinearVariant
 */
export const MICA: LoraVariant = {
  name: "MiCA",
  field: 'init_lora_weights "mica"',
  kinds: ["linear", "embedding"],
  parameters: (plain) => ({ ...plain, A: { ...plain.A!, init: { kind: "zeros" } }, B: { ...plain.B!, trainable: false, counted: true } }),
  async init(params, { r }, layer, _, weight) {
    if (!weight) throw new ConfigError('init_lora_weights "mica" decomposes the base weight, but none was given');
    const { hostMatrix, pickColumns, range, torchSvd, toTensor } = await import("../init/on-demand.js");
    const w = await hostMatrix(weight, layer.kind === "embedding" ? { ...layer, transposed: true } : layer);
    const least = Math.min(w.rows, w.cols);
    if (r > least) throw new ConfigError(`MiCA needs a rank up to the weight's smaller side, which is ${least}, got r = ${r}`);
    const { u } = torchSvd(w, least);
    return { ...params, A: zeros(params.A!.shape), B: cast(toTensor(pickColumns(u, range(r, least - r))), params.B!.dtype) };
  },
};
