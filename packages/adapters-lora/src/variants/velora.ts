import {
  add,
  cast,
  div,
  equal,
  featuresOf,
  linear,
  matmul,
  mean,
  mul,
  norm,
  pad,
  reshape,
  slice,
  stopGradient,
  sub,
  type Tensor,
  tensor,
  torchNormal,
  where,
} from "@weft/tensor-core";
import type { LoraVariant } from "./variant.js";

const groupSize = (inputs: number, groups: number): number => Math.ceil(inputs / groups);

/** v/‖v‖, or the same for a vector of ones where v is 0. */
function normalised(v: Tensor): Tensor {
  const length = norm(v);
  const isZero = equal(length, 0);
  return where(isZero, 1 / Math.sqrt(v.shape[0]!), div(v, where(isZero, 1, length)));
}

/**
 * VeLoRA (Miles et al. 2024): plain LoRA whose gradient of A sees the input in groups, each projected on one vector (`lora_velora_embed` [in/groups]): A·x
 * as usual, dA = dyᵀ·x̂ with x̂ = scale·(x_g·v)·v per group. v is drawn (`random`), the mean of each batch (`batch_average`) or that of the first one;
 * a compiled step does not remember which was first, so that `batch_average_once` takes the vector of the file, or while that is 0 each batch's.
 * @see peft `tuners/lora/velora.py`
 */
export const VELORA: LoraVariant = {
  name: "VeLoRA",
  field: "velora_config",
  kinds: ["linear"],
  keys: { velora_embed: ["lora_velora_embed"] },
  parameters: (plain, { veloraConfig }, layer) => ({
    ...plain,
    velora_embed: { shape: [groupSize(featuresOf(layer).in, veloraConfig!.numGroups)], init: { kind: "zeros" }, trainable: false },
  }),
  project(x, { A, velora_embed: stored }, { config }) {
    const { numGroups: groups, scale, initType } = config.veloraConfig!;
    const inputs = x.shape.at(-1)!;
    const size = groupSize(inputs, groups);
    const rows = cast(reshape(stopGradient(x), [-1, inputs]), "f32");
    const grouped = reshape(pad(rows, [0, 0], [0, groups * size - inputs]), [-1, groups, size]);
    const average = normalised(mean(reshape(grouped, [-1, size]), { axes: [0] }));
    const embed =
      initType === "random" ? stored! : initType === "batch_average" ? average : where(equal(norm(stored!), 0), average, stored!);
    const compressed = matmul(grouped, reshape(embed, [size, 1]));
    const rebuilt = slice(reshape(mul(compressed, mul(embed, scale)), [-1, groups * size]), [undefined, [0, inputs]]);
    // Of value 0: it carries the gradient of A alone.
    const gradient = linear(cast(reshape(rebuilt, x.shape), A!.dtype), sub(A!, stopGradient(A!)));
    return add(linear(x, stopGradient(A!)), gradient);
  },
  init(params, { veloraConfig }, layer, generator) {
    const size = groupSize(featuresOf(layer).in, veloraConfig!.numGroups);
    const embed = veloraConfig!.initType === "random" ? normalised(tensor(torchNormal(generator, size))) : tensor(new Float32Array(size));
    return { ...params, velora_embed: embed };
  },
};
