import { type AdapterMethod, add, cast, configClass, type ConfigClass, forwardBase, reshape } from "@weft/tensor-core";
import { basics, BY_NAME, fields, normal, times, trained } from "@weft/tensor-core/methods";

/** The config of a BEFT adapter. */
export interface BeftConfigFields {
  readonly initWeights: boolean;
}

const FIELDS = fields("beft", ["init_weights"], {}, BY_NAME);

/** PEFT's `BeftConfig` (`peft_type` BEFT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const BeftConfig: ConfigClass<BeftConfigFields> = configClass("BEFT", FIELDS);

/** BEFT: y + b', a bias [1, out] beside the layer's own; merged into that. Linear. @see peft `tuners/beft/layer.py` */
export const BEFT: AdapterMethod<BeftConfigFields> = {
  ...basics<BeftConfigFields>({
    name: "BEFT",
    prefix: "beft_",
    fields: FIELDS,
    parameters: ({ initWeights }, size) => ({ bias: trained([1, size.out], initWeights ? "zeros" : normal()) }),
    names: ["bias"],
  }),
  transform: (weight) => weight,
  biasDelta: ({ bias }, { scale }) => times(reshape(bias!, [-1]), scale),
  forward(x, base, params, context) {
    const y = forwardBase(context.layer, base, x);
    return cast(add(y, BEFT.biasDelta!(params, context)!), y.dtype);
  },
};
