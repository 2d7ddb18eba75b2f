import {
  type AdapterContext,
  add,
  div,
  exp,
  featuresOf,
  log,
  maximum,
  mean,
  mul,
  type Params,
  reshape,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  swapLast,
  type Tensor,
  tensor,
  torchUniform,
} from "@weft/tensor-core";
import type { LoraConfigFields } from "../lora/config.js";
import type { LoraVariant } from "./variant.js";

/** Least variance, and least concentration, that PEFT lets pass. */
const [LEAST_VARIANCE, LEAST_CONCENTRATION] = [1e-3, 1e-6];

/**
 * What A is moved by in a training pass: Σ_n w_n·ε_n with noise ε_n [in, r] = scaler·z·√v. The variances v come from a Wishart matrix of the identity with
 * r degrees of freedom, of which PEFT uses the diagonal: r independent χ²_r. The weights w are a softmax of normal values around log of the
 * concentrations, which stands for a draw of a Dirichlet distribution.
 */
function perturbation(
  params: Params,
  { config, layer }: AdapterContext<LoraConfigFields>,
  noise: (shape: readonly number[]) => Tensor,
): Tensor {
  const { sampleScaler, numSamples: n } = config.montecloraConfig!;
  const { in: inputs } = featuresOf(layer);
  const { r } = config;
  const chi = sum(square(noise([r, r])), { axes: [1] });
  const variance = maximum(mul(square(exp(params.std_prior!)), chi), LEAST_VARIANCE);
  const alpha = maximum(exp(params.expert_weights_prior!), LEAST_CONCENTRATION);
  const centre = sub(log(alpha), mean(log(alpha)));
  const spread = add(mul(div(1, alpha), 1 - 2 / n), mul(sum(div(1, alpha)), 1 / n ** 2));
  const deviation = sqrt(add(maximum(spread, LEAST_CONCENTRATION), LEAST_CONCENTRATION));
  const weights = softmax(add(mul(deviation, noise([n])), centre));
  const samples = mul(noise([n, inputs, r]), mul(sqrt(variance), sampleScaler));
  return swapLast(sum(mul(samples, reshape(weights, [n, 1, 1])), { axes: [0] }));
}

/**
 * MonteCLoRA (Sengupta et al. 2024): in training A is moved by noise with a learned spread (`std_prior` [r]) and learned weights of its samples
 * (`expert_weights_prior` [n]); running and merging it is plain LoRA. The last variance and weights that training drew (`gaussian_var_prior` [r, r],
 * `expert_weights` [n]) are in the file too. Noise is drawn where the context has `noise`.
 * @see peft `tuners/lora/monteclora.py`
 */
export const MONTECLORA: LoraVariant = {
  name: "MonteCLoRA",
  field: "monteclora_config",
  kinds: ["linear"],
  keys: Object.fromEntries(
    ["std_prior", "expert_weights_prior", "gaussian_var_prior", "expert_weights"].map((name) => [
      name,
      [`lora_monteclora_sampler.${name}`],
    ]),
  ),
  parameters(plain, { r, montecloraConfig }) {
    const n = montecloraConfig!.numSamples;
    return {
      ...plain,
      std_prior: { shape: [r], init: { kind: "zeros" }, trainable: true },
      expert_weights_prior: { shape: [n], init: { kind: "zeros" }, trainable: true },
      gaussian_var_prior: { shape: [r, r], init: { kind: "zeros" }, trainable: false },
      expert_weights: { shape: [n], init: { kind: "constant", value: 1 / n }, trainable: false },
    };
  },
  factors(params, context) {
    const { noise } = context;
    return noise ? { ...params, A: add(params.A!, perturbation(params, context, noise)) } : params;
  },
  init(params, { r, montecloraConfig }, _, generator) {
    const n = montecloraConfig!.numSamples;
    return {
      ...params,
      std_prior: tensor(torchUniform(generator, r)),
      expert_weights_prior: tensor(torchUniform(generator, n)),
      gaussian_var_prior: tensor(
        Float32Array.from({ length: r * r }, (_, i) => (i % (r + 1) === 0 ? 1 : 0)),
        { shape: [r, r] },
      ),
      expert_weights: tensor(new Float32Array(n).fill(1 / n)),
    };
  },
};
