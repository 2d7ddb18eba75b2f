import {
  type AdapterContext,
  type AdapterMethod,
  add,
  CapabilityError,
  cast,
  configClass,
  type ConfigClass,
  matmul,
  mul,
  oneOf,
  type ParameterSpec,
  type Params,
  reshape,
  type Tensor,
  type UnmergedBias,
} from "@weft/tensor-core";
import {
  BY_NAME,
  fields,
  fixed,
  last,
  rank,
  rankFrom,
  rewriting,
  type Round,
  roundedTo,
  roundsDelta,
  stored,
  times,
  trained,
  unrounded,
  wide,
  checkRank,
} from "@weft/tensor-core/methods";

type Path = "lora" | "vector" | "constant" | "none";

/** The config of a GLoRA adapter: what each of its five supports is. */
export interface GloraConfigFields {
  readonly r: number;
  readonly configAB: Path;
  readonly configC: Path;
  readonly configDE: Path;
  readonly initWeights: boolean;
}

const oneOfPaths = (fallback: Path, others: readonly Path[]) => oneOf<Path>(fallback, [fallback, "none", "vector", ...others]);

const FIELDS = fields(
  "glora",
  ["bias", "init_weights"],
  {
    r: rank(8),
    config_A_B: oneOfPaths("lora", ["constant"]),
    config_C: oneOfPaths("lora", []),
    config_D_E: oneOfPaths("constant", []),
  },
  BY_NAME,
);

/** PEFT's `GloraConfig` (`peft_type` GLORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const GloraConfig: ConfigClass<GloraConfigFields> = configClass("GLORA", FIELDS);

/** A support: a product of low rank, or what is stored. */
function support(params: Params, name: string): Tensor {
  const [down, up, whole] = [params[`${name}.Xd`], params[`${name}.Xu`], params[`${name}.X`] ?? params[`${name}.zeros`]];
  return down ? matmul(wide(down), wide(up!)) : wide(whole!);
}

/** b⊙D + E + W·C [out], of a layer that has a bias b. */
function biasChange(
  { bias, weight }: UnmergedBias,
  params: Params,
  { layer, scale, config }: AdapterContext<GloraConfigFields>,
  rounded: Round,
): Tensor {
  const withC = config.configC !== "none";
  if (withC && !weight)
    throw new CapabilityError("GLORA: the merged bias depends on the layer's weight, which is not at hand", {
      hint: "merge weight and bias together",
    });
  const [D, E] = ["D", "E"].map((name) => rounded(support(params, name))) as [Tensor, Tensor];
  let change = rounded(add(rounded(mul(wide(bias), D)), E));
  if (withC) change = rounded(add(change, rounded(reshape(matmul(stored(wide(weight!), layer), rounded(support(params, "C"))), [-1]))));
  return times(change, scale);
}

const WEIGHT = rewriting<GloraConfigFields>({
  name: "GLORA",
  prefix: "glora_",
  fields: FIELDS,
  checkNew: (config, layer) => (config.configAB === "lora" ? checkRank(config, layer) : []),
  configFromShapes: rankFrom("A.Xu", "C.Xu"),
  parameters({ r, configAB, configC, configDE, initWeights }, size, { bias }) {
    const result: { [name: string]: ParameterSpec } = {};
    const path = (name: string, kind: Path, rows: number, columns: number[]): void => {
      if (kind === "lora") {
        result[`${name}.Xd`] = trained([rows, r], last(initWeights));
        result[`${name}.Xu`] = trained([r, ...columns], "kaimingUniform");
      } else if (kind === "none") result[`${name}.zeros`] = fixed([rows, ...columns]);
      else result[`${name}.X`] = trained(kind === "constant" ? [1] : [rows, ...columns.map(() => 1)]);
    };
    for (const name of ["A", "B"]) path(name, configAB, size.out, [size.in]);
    path("C", bias ? configC : "none", size.in, [1]);
    for (const name of ["D", "E"]) path(name, bias ? configDE : "none", size.out, []);
    return result;
  },
  names: ["A", "B", "C", "D", "E"].flatMap((name) => ["Xd", "Xu", "X", "zeros"].map((part) => `${name}.${part}`)),
  rounding: roundsDelta,
  change(weight, params, _, __, rounded) {
    const [A, B] = ["A", "B"].map((name) => rounded(support(params, name))) as [Tensor, Tensor];
    return add(rounded(mul(weight, A)), B);
  },
});

/**
 * GLoRA (Chavan et al. 2023), in PEFT's form: W' = W + W⊙A + B, b' = b + b⊙D + E + W·C; each of A … E a product of low rank, a vector per
 * output (of C: input), one number, or nothing. Linear; C, D and E where the layer has a bias. What is nothing is stored as zeros of the
 * full shape, as PEFT does, which misses them when it loads.
 * @see peft `tuners/glora/layer.py`
 */
export const GLORA: AdapterMethod<GloraConfigFields> = {
  ...WEIGHT,
  biasTransform: (bias, params, context, unmerged) => add(wide(bias), biasChange(unmerged, params, context, roundedTo(bias.dtype))),
  forward(x, base, params, context) {
    const y = WEIGHT.forward(x, base, params, context);
    return base.bias ? cast(add(y, biasChange({ bias: base.bias, weight: base.weight }, params, context, unrounded)), y.dtype) : y;
  },
};
