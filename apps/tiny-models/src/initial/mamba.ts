import type { ConfigJson } from "@weft/models";
import { type TorchGenerator, torchUniform } from "@weft/tensor-core";
import { along, filled, type InitialParameters, kaiming, normal } from "./draw.js";

/** Step sizes Δ begin between these. */
const [STEP_MIN, STEP_MAX] = [0.001, 0.1];

/** What `config.json` says of shapes. */
interface Sizes {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly state_size: number;
  readonly conv_kernel: number;
  readonly time_step_rank: number;
}

/** A = −1 … −N, steps spread over their range, the rest as torch and `_init_weights` have it. @see transformers `models/mamba/modeling_mamba.py` */
export function initialMamba(config: ConfigJson, generator: TorchGenerator): InitialParameters {
  const {
    vocab_size: vocab,
    hidden_size: hidden,
    num_hidden_layers: layers,
    state_size: states,
    conv_kernel: kernel,
    time_step_rank: rank,
  } = config as unknown as Sizes;
  const inner = 2 * hidden;
  const made: InitialParameters = new Map([["backbone.embeddings.weight", normal(generator, [vocab, hidden], 0.02)]]);
  for (let i = 0; i < layers; i++) {
    const mixer = `backbone.layers.${i}.mixer`;
    made.set(`backbone.layers.${i}.norm.weight`, filled([hidden], 1));
    made.set(`${mixer}.in_proj.weight`, kaiming(generator, [2 * inner, hidden]));
    made.set(`${mixer}.conv1d.weight`, kaiming(generator, [inner, 1, kernel]));
    made.set(`${mixer}.conv1d.bias`, filled([inner], 0));
    made.set(`${mixer}.x_proj.weight`, kaiming(generator, [rank + 2 * states, inner]));
    const bound = rank ** -0.5;
    made.set(`${mixer}.dt_proj.weight`, { shape: [inner, rank], values: torchUniform(generator, inner * rank, -bound, bound) });
    // softplus⁻¹ of steps that are even in their logarithm
    const steps = torchUniform(generator, inner).map((u) => Math.exp(u * Math.log(STEP_MAX / STEP_MIN)) * STEP_MIN);
    made.set(`${mixer}.dt_proj.bias`, { shape: [inner], values: steps.map((step) => step + Math.log(-Math.expm1(-step))) });
    made.set(
      `${mixer}.A_log`,
      along([inner, states], (n) => Math.log(n + 1)),
    );
    made.set(`${mixer}.D`, filled([inner], 1));
    const out = kaiming(generator, [hidden, inner]);
    made.set(`${mixer}.out_proj.weight`, { ...out, values: out.values.map((x) => x / Math.sqrt(layers)) });
  }
  made.set("backbone.norm_f.weight", filled([hidden], 1));
  return made;
}
