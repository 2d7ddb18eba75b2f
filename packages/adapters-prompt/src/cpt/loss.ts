import {
  cast,
  concat,
  div,
  equal,
  iota,
  logSumExp,
  mul,
  notEqual,
  reshape,
  slice,
  sub,
  sum,
  tensor,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { CptConfigFields } from "./cpt.js";

/** Input tokens whose types are not given are labels of one more example. */
const LABEL = 4;
const IGNORED = -100;

const isLabel = (type: number): boolean => type > 0 && type % 4 === 0;

/** Types of the context and, counting on from its last example, of the input; one list per row. */
function typesOf({ cptTokensTypeMask: context }: CptConfigFields, input: readonly (readonly number[])[]): number[][] {
  const last = Math.max(...context);
  return input.map((row) => [...context, ...row.map((type) => (type > 0 ? type + last : type))]);
}

/** The weight of each label: 1 for the last example of the row, times the decay for each example before it. */
function weightsOf(types: readonly number[], { optWeightedLossType, optLossDecayFactor: decay }: CptConfigFields): number[] {
  if (optWeightedLossType === "none") return types.map(() => 1);
  const examples = [...new Set(types.filter(isLabel))].toSorted((a, b) => b - a);
  return types.map((type) => (isLabel(type) ? decay ** examples.indexOf(type) : 1));
}

/**
 * The loss of CPT: mean over the labels, those inside the context included, of weight · cross entropy. With `opt_weighted_loss_type` `decay`, labels
 * of earlier examples weigh less.
 * @param logits of context and input, [batch, context + length, vocabulary]
 * @param labels of the input, i32 [batch, length], -100 where there is none
 * @param inputTypes types of the input's tokens as in `cpt_tokens_type_mask`, per row; all labels if not given
 * @returns a scalar; NaN without any label, as torch
 * @see peft `tuners/cpt/model.py` calculate_loss, `peft_model.py` _cpt_forward
 */
export function cptLoss(logits: Tensor, labels: Tensor, config: CptConfigFields, inputTypes?: readonly (readonly number[])[]): Tensor {
  const [batch, length] = labels.shape as [number, number];
  const given = inputTypes ?? Array.from({ length: batch }, () => Array<number>(length).fill(LABEL));
  const types = typesOf(config, given);
  const total = types[0]!.length;
  const perToken = (rows: readonly (readonly number[])[]): Tensor =>
    tensor(Int32Array.from(rows.flat()), { shape: [batch, rows[0]!.length] });
  const all = concat([perToken(types.map(() => config.cptTokenIds)), cast(labels, "i32")], 1);
  const shifted = (t: Tensor): Tensor => slice(t, [undefined, [1, total]]);
  const wanted = shifted(where(equal(perToken(types.map((row) => row.map((type) => (isLabel(type) ? 1 : 0)))), 1), all, IGNORED));
  const weights = tensor(Float32Array.from(types.flatMap((row) => weightsOf(row.slice(1), config))), { shape: [batch, total - 1] });

  const x = cast(slice(logits, [undefined, [0, total - 1]]), "f32");
  const hit = equal(iota(x.shape, 2), reshape(wanted, [batch, total - 1, 1]));
  const each = sub(logSumExp(x, { axes: [2] }), sum(where(hit, x, 0), { axes: [2] }));
  const kept = cast(notEqual(wanted, IGNORED), "f32");
  return div(sum(mul(mul(each, weights), kept)), sum(kept));
}
