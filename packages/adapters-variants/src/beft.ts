import {
  add,
  type AdapterMethod,
  boolean,
  cast,
  type ConfigClass,
  configClass,
  featuresOf,
  type FieldTable,
  forwardBase,
  reshape,
  TARGETING,
} from "@weft/tensor-core";
import { requireKind, times, trained } from "./define.js";

/** PEFT 0.21.2's `BeftConfig`. @see peft `tuners/beft/config.py` */
const FIELDS: FieldTable = { ...TARGETING, init_weights: boolean(true) };

/** The config of a BEFT adapter. */
export interface BeftConfigFields {
  readonly initWeights: boolean;
}

export const BeftConfig: ConfigClass<BeftConfigFields> = configClass("BEFT", FIELDS);

/** BEFT: y + b', a bias [1, out] beside the layer's own; merged into that. Linear. @see peft `tuners/beft/layer.py` */
export const BEFT: AdapterMethod<BeftConfigFields> = {
  name: "BEFT",
  prefix: "beft_",
  fields: FIELDS,
  parameters({ initWeights }, layer) {
    requireKind("BEFT", layer);
    return { bias: trained([1, featuresOf(layer).out], initWeights ? { kind: "zeros" } : { kind: "normal", std: 1 }) };
  },
  keys: () => ({ bias: ["beft_bias"] }),
  transform: (weight) => weight,
  biasDelta: ({ bias }, { scale }) => times(reshape(bias!, [-1]), scale),
  forward(x, base, { bias }, { layer, scale }) {
    const y = forwardBase(layer, base, x);
    return cast(add(y, times(reshape(bias!, [-1]), scale)), y.dtype);
  },
};
