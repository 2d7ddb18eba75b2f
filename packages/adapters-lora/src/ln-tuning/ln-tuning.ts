import {
  type AdapterContext,
  type AdapterMethod,
  add,
  cast,
  type ConfigClass,
  configClass,
  featuresOf,
  type FieldTable,
  forwardBase,
  isFloat,
  mul,
  ones,
  type ParameterSpec,
  stringList,
  stringOrList,
  sub,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { DEFAULT_TARGETS } from "./default-targets.js";

/** PEFT 0.21.2's `LNTuningConfig` fields and defaults. @see peft `tuners/ln_tuning/config.py` */
const FIELDS: FieldTable = {
  target_modules: stringOrList(),
  exclude_modules: stringOrList(),
  modules_to_save: stringList(),
};

/** The config of trained norms. */
export interface LNTuningConfigFields {
  /** Null: the norms of the model type's blocks. */
  readonly targetModules: string | readonly string[] | null;
  readonly excludeModules: string | readonly string[] | null;
  readonly modulesToSave: readonly string[] | null;
}

/** PEFT's `LNTuningConfig` (`peft_type` LN_TUNING): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const LNTuningConfig: ConfigClass<LNTuningConfigFields> = configClass("LN_TUNING", FIELDS);

/** The trained tensor in the place of the base's; at the user's strength c the share c of the way. */
function replacement(base: Tensor, trained: Tensor, { scale }: AdapterContext<LNTuningConfigFields>): Tensor {
  return scale === 1 ? trained : add(base, mul(sub(trained, base), scale));
}

const spec = (shape: readonly number[], kind: "ones" | "zeros"): ParameterSpec => ({ shape, init: { kind }, trainable: true });

/**
 * LN tuning (Zhao et al. 2023): norms are trained themselves; the adapter holds a copy of the module, weight and bias, that takes its place.
 * PEFT takes any module with a weight, so all kinds of layers do here. Only one such adapter acts on a layer: its weight replaces the base's.
 * @see peft `tuners/ln_tuning/layer.py`
 */
export const LN_TUNING: AdapterMethod<LNTuningConfigFields> = {
  name: "LN_TUNING",
  defaultTargets: DEFAULT_TARGETS,
  prefix: "ln_tuning_",
  fields: FIELDS,
  parameters: (_, layer) => ({
    weight: spec(layer.shape, "ones"),
    ...(layer.bias && { bias: spec([featuresOf(layer).out], "zeros") }),
  }),
  keys: () => ({ weight: ["ln_tuning_layers.weight"], bias: ["ln_tuning_layers.bias"] }),
  async init(_, layer, __, weight, bias) {
    return {
      params: {
        weight: weight ? cast(weight, "f32") : ones(layer.shape),
        ...(layer.bias && { bias: bias ? cast(bias, "f32") : zeros([featuresOf(layer).out]) }),
      },
    };
  },
  transform: (weight, params, context) => replacement(weight, params.weight!, context),
  biasTransform: (bias, params, context) => params.bias && replacement(bias, params.bias, context),
  forward(x, base, params, context) {
    const weight = replacement(base.weight, params.weight!, context);
    const bias = base.bias && params.bias ? replacement(base.bias, params.bias, context) : base.bias;
    const y = forwardBase(context.layer, { weight, bias }, x);
    return isFloat(x.dtype) ? cast(y, x.dtype) : y;
  },
};
