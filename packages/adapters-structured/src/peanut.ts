import {
  type AdapterMethod,
  add,
  type ConfigClass,
  configClass,
  float,
  gelu,
  integer,
  linear,
  mul,
  oneOf,
  type ParameterSpec,
  relu,
  sigmoid,
  silu,
  swapLast,
  tanh,
  type Tensor,
  strength,
} from "@weft/tensor-core";
import { fields, last, rank, rewriting, roundsDelta, trained } from "@weft/tensor-core/methods";

const ACTIVATIONS: { readonly [name: string]: (x: Tensor) => Tensor } = {
  relu: relu,
  gelu: gelu,
  silu: silu,
  tanh: tanh,
  sigmoid: sigmoid,
};
/** More hidden layers than any adapter has; the names of their parameters are listed. */
const MAX_DEPTH = 32;

/** The config of a PEANuT adapter. */
export interface PeanutConfigFields {
  readonly r: number;
  /** Number of encoders, and of decoders. */
  readonly depth: number;
  readonly actFn: string;
  readonly scaling: number;
  readonly initWeights: boolean;
}

const FIELDS = fields("peanut", ["init_weights"], {
  r: rank(32),
  depth: integer(0, 0, MAX_DEPTH),
  act_fn: oneOf("relu", Object.keys(ACTIVATIONS)),
  scaling: strength(float(1)),
});

/** PEFT's `PeanutConfig` (`peft_type` PEANUT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const PeanutConfig: ConfigClass<PeanutConfigFields> = configClass("PEANUT", FIELDS);

const weightOf = (name: string): string => `${name}.weight`;

/** `encoders.0`, `decoders.0`, `encoders.1` … */
const hiddenLayers = (depth: number): string[] => Array.from({ length: depth }, (_, i) => [`encoders.${i}`, `decoders.${i}`]).flat();

/**
 * PEANuT (Zhong et al. 2025): ΔWᵀ = scaling·B(…f(A(Wᵀ))…), a small network of the weight's own columns: f(A·w), then `depth` encoders and as
 * many decoders f(D·h) with the encoders' inputs added, then B. A [r, out], B [out, r], the others [r, r]. Linear.
 * @see peft `tuners/peanut/layer.py`
 */
export const PEANUT: AdapterMethod<PeanutConfigFields> = rewriting({
  name: "PEANUT",
  prefix: "peanut_",
  fields: FIELDS,
  parameters({ r, depth, initWeights }, { out }) {
    const result: { [name: string]: ParameterSpec } = {
      [weightOf("A")]: trained([r, out], "kaimingUniform"),
      [weightOf("B")]: trained([out, r], last(initWeights)),
    };
    for (const name of hiddenLayers(depth)) result[weightOf(name)] = trained([r, r], "kaimingUniform");
    return result;
  },
  names: ["A", "B", ...hiddenLayers(MAX_DEPTH)].map(weightOf),
  rounding: roundsDelta,
  change(weight, params, { depth, actFn, scaling }) {
    const step = (h: Tensor, name: string): Tensor => ACTIVATIONS[actFn]!(linear(h, params[weightOf(name)]!));
    const inputs: Tensor[] = [];
    let h = step(swapLast(weight), "A");
    for (let i = 0; i < depth; i++) {
      inputs.push(h);
      h = step(h, `encoders.${i}`);
    }
    for (let i = 0; i < depth; i++) h = add(step(h, `decoders.${i}`), inputs.pop()!);
    return mul(swapLast(linear(h, params[weightOf("B")]!)), scaling);
  },
});
