import {
  add,
  biasLike,
  broadcastTo,
  type FieldTable,
  forwardBase,
  integer,
  isConv,
  type LayerSpec,
  mul,
  reshape,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import type { LycorisConfig } from "../config.js";
import { type LycorisMethod, lycorisMethod } from "../method.js";
import { trained } from "../parts/low-rank.js";

export interface LycorisIa3Config extends LycorisConfig {
  /** 1: the weight scales the layer's inputs (LyCORIS' option `train_on_input`); 0: its outputs. */
  readonly onInput: number;
}

const FIELDS: FieldTable = { on_input: integer(0, 0, 1) };

/** The scales in the shape in which they multiply the layer's weight. With groups, a row holds the channels of its group alone. */
function overWeight(w: Tensor, { shape, conv }: LayerSpec, onInput: boolean): Tensor {
  const [out, inputs, ...kernel] = shape as [number, number, ...number[]];
  const ones = kernel.map(() => 1);
  const groups = conv?.groups ?? 1;
  if (!onInput) return reshape(w, [out, 1, ...ones]);
  if (groups === 1) return reshape(w, [1, inputs, ...ones]);
  return reshape(broadcastTo(reshape(w, [groups, 1, inputs]), [groups, out / groups, inputs]), [out, inputs, ...ones]);
}

/**
 * (IA)³ as LyCORIS has it: W' = W ⊙ (1 + c·w) along the input or the output axis, with w starting at 0 (PEFT's multiplies by w itself).
 * The bias is never scaled: LyCORIS' own forward scales it where its merge does not.
 * @see Liu et al. 2022; lycoris `modules/ia3.py`
 */
export const LYCORIS_IA3: LycorisMethod<LycorisIa3Config> = lycorisMethod<LycorisIa3Config>({
  name: "LYCORIS_IA3",
  prefix: "",
  fields: FIELDS,
  marks: { on_input: 2 },
  suffixes: { weight: "weight" },
  scalars: ["on_input"],
  parameters({ onInput }, layer) {
    const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
    const features = onInput ? inputs * (layer.conv?.groups ?? 1) : out;
    return { weight: trained(isConv(layer) ? [1, features, ...kernel.map(() => 1)] : [features], "zeros") };
  },
  transform: (weight, params, { layer, config, scale }) =>
    mul(weight, add(mul(overWeight(params.weight!, layer, config.onInput === 1), scale), 1)),
  forward(x, base, params, { layer, config, scale }) {
    const w = mul(params.weight!, scale);
    if (config.onInput) return forwardBase(layer, base, mul(x, add(w, 1)));
    const y = forwardBase(layer, base, x);
    return add(y, mul(w, base.bias ? sub(y, biasLike(layer, base.bias)) : y));
  },
});
