import {
  add,
  ConfigError,
  div,
  type Field,
  float,
  maximum,
  mul,
  norm,
  oneOf,
  type Params,
  stopGradient,
  sub,
  tensor,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { EMBEDDING, embeddingOf, PROMPT, PROMPT_FIELDS, type PromptConfigFields, type PromptMethod, text } from "@weft/tensor-core/prompt";
import { wordRows } from "../prompt-tuning/prompt-tuning.js";

/** PEFT's `CPTConfig`. */
export interface CptConfigFields extends PromptConfigFields {
  /** The context: the prompt's tokens. */
  readonly cptTokenIds: readonly number[];
  readonly cptMask: readonly number[];
  /** Per token, modulo 4: 1 input template, 2 input, 3 output template, 0 (and not 0 itself) label; each example counts on by 4. */
  readonly cptTokensTypeMask: readonly number[];
  readonly optWeightedLossType: "none" | "decay";
  readonly optLossDecayFactor: number;
  /** Largest change of an input token's embedding, as ‖δ‖ at 2048 dimensions. */
  readonly optProjectionEpsilon: number;
  /** The same for templates. */
  readonly optProjectionFormatEpsilon: number;
  readonly tokenizerNameOrPath: string | null;
}

const DELTA = "delta_embedding.weight";
/** What labels may move by. */
const SMALLEST = 1e-10;

const integers = (): Field => ({
  fallback: null,
  check: (v) => v === null || (Array.isArray(v) && v.length > 0 && v.every((n) => Number.isInteger(n) && n >= 0)),
  expected: "a list of integers from 0",
});

/** The bound on ‖δ‖ of each token [tokens, 1], rounded as torch rounds it. */
function epsilon(config: CptConfigFields): Tensor {
  const root = Math.fround(Math.sqrt(Math.fround(config.tokenDim / 2048)));
  const bounds = [SMALLEST, config.optProjectionFormatEpsilon, config.optProjectionEpsilon, config.optProjectionFormatEpsilon];
  const of = (type: number): number => (type % 4 === 0 ? SMALLEST : Math.fround(bounds[type % 4]! * root));
  const { cptTokensTypeMask: types } = config;
  return tensor(Float32Array.from(types, of), { shape: [types.length, 1] });
}

/** δ·ε/max(‖δ‖, ε) per token: unchanged inside the ball of its ε, on the sphere outside. */
function project(delta: Tensor, config: CptConfigFields): Tensor {
  const bound = epsilon(config);
  return mul(delta, div(bound, maximum(norm(delta, { axes: [1], keepDims: true }), bound)));
}

/**
 * Context-aware prompt tuning (Blau et al. 2024): the embeddings of a context's tokens in front of the input, each moved by a trained δ of bounded
 * norm; labels do not move. PEFT writes δ back projected before each pass: call `project` after a step. The gradient passes the projection
 * unchanged.
 * @see peft `tuners/cpt/model.py`
 */
export const CPT: PromptMethod<CptConfigFields> = {
  name: "CPT",
  kind: "embeddings",
  fields: {
    ...PROMPT_FIELDS,
    cpt_token_ids: integers(),
    cpt_mask: integers(),
    cpt_tokens_type_mask: integers(),
    opt_weighted_loss_type: oneOf("none", ["none", "decay"]),
    opt_loss_decay_factor: float(1),
    opt_projection_epsilon: float(0.1),
    opt_projection_format_epsilon: float(0.1),
    tokenizer_name_or_path: text(),
  },
  resolve(values) {
    if (values["taskType"] !== "CAUSAL_LM")
      throw new ConfigError(`CPT: task_type is ${JSON.stringify(values["taskType"])}, expected "CAUSAL_LM"`, { kind: "config-schema" });
    const ids = (values["cptTokenIds"] ?? [0]) as readonly number[];
    const each = (name: string): readonly number[] => (values[name] ?? ids.map(() => 1)) as readonly number[];
    const [cptMask, cptTokensTypeMask] = [each("cptMask"), each("cptTokensTypeMask")];
    if (cptMask.length !== ids.length || cptTokensTypeMask.length !== ids.length)
      throw new ConfigError(
        `CPT: cpt_token_ids has ${ids.length} entries, cpt_mask ${cptMask.length}, cpt_tokens_type_mask ${cptTokensTypeMask.length}`,
        { kind: "config-schema", hint: "they describe the same tokens" },
      );
    return { cptTokenIds: ids, cptMask, cptTokensTypeMask, numVirtualTokens: ids.length, numTransformerSubmodules: 1 };
  },
  parameters({ numVirtualTokens, tokenDim }) {
    const rows = embeddingOf(numVirtualTokens, tokenDim);
    return { [EMBEDDING]: { ...rows, trainable: false }, [DELTA]: { ...rows, init: { kind: "zeros" } } };
  },
  start: async (drawn, { cptTokenIds }, _, source) => ({ ...drawn, [EMBEDDING]: await wordRows(cptTokenIds, source, "CPT") }),
  encode(params, config) {
    const delta = params[DELTA]!;
    const trains = tensor(
      Float32Array.from(config.cptTokensTypeMask, (type) => (type % 4 === 0 ? 0 : 1)),
      { shape: [delta.shape[0]!, 1] },
    );
    const moved = add(stopGradient(params[EMBEDDING]!), stopGradient(project(delta, config)));
    return { [PROMPT]: add(moved, mul(sub(delta, stopGradient(delta)), trains)) };
  },
  saved: ({ numVirtualTokens, tokenDim }) => ({ [PROMPT]: [numVirtualTokens, tokenDim] }),
  restore: (saved) => ({ [EMBEDDING]: saved[PROMPT]!, [DELTA]: zeros(saved[PROMPT]!.shape) }),
  project: (params, config): Params => ({ ...params, [DELTA]: project(params[DELTA]!, config) }),
};
