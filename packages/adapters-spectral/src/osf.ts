import {
  type AdapterMethod,
  callComposite,
  type Composite,
  concat,
  ConfigError,
  configClass,
  type ConfigClass,
  featuresOf,
  type Field,
  type LayerSpec,
  MAX_RANK,
  matmul,
  mul,
  neg,
  opaque,
  type Params,
  sub,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { type Matrix, torchSvd } from "@weft/tensor-core/linalg";
import { BY_NAME, fields, lowRank, normal, trained } from "@weft/tensor-core/methods";
import { block, rounded, weightMatrix } from "./weight-matrix.js";

/** The config of an OSF adapter. */
export interface OsfConfigFields {
  /** Singular directions that are kept: a number, a share of all of them (below 1), or half if null. */
  readonly effectiveRank: number | null;
  /** Regular expression → number or share for the modules in whose path it is found. */
  readonly rankPattern: { readonly [pattern: string]: number } | null;
  readonly initWeights: boolean | null;
}

const isShare = (v: unknown): boolean => typeof v === "number" && ((v > 0 && v < 1) || (Number.isInteger(v) && v >= 1 && v <= MAX_RANK));
const SHARE = "an integer from 1, or a share between 0 and 1";
const FIELDS = fields(
  "osf",
  [],
  {
    effective_rank: { fallback: null, check: (v) => v === null || isShare(v), expected: SHARE },
    rank_pattern: {
      fallback: null,
      check: (v) => v === null || (typeof v === "object" && !Array.isArray(v) && Object.values(v as object).every(isShare)),
      expected: `an object of ${SHARE} each`,
    },
    init_weights: { fallback: true, check: (v) => v === null || typeof v === "boolean", expected: "true, false or null" },
    target_svd_config: opaque(),
  } satisfies { readonly [name: string]: Field },
  BY_NAME,
);

/** PEFT's `OsfConfig` (`peft_type` OSF): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const OsfConfig: ConfigClass<OsfConfigFields> = configClass("OSF", FIELDS);

/** Kept and trained directions of a layer. */
function split({ effectiveRank }: OsfConfigFields, layer: LayerSpec): { readonly kept: number; readonly all: number } {
  const { in: inputs, out } = featuresOf(layer);
  const all = Math.min(inputs, out);
  const kept = effectiveRank === null ? all >> 1 : effectiveRank < 1 ? Math.floor(all * effectiveRank) : Math.min(all, effectiveRank);
  if (kept < 1) throw new ConfigError(`OSF: effective_rank ${effectiveRank} keeps none of the ${all} directions`);
  return { kept, all };
}

/**
 * `projectedGradient`: x itself, whose gradient keeps away from directions K [k, n] (orthonormal rows): dx - dx·Kᵀ·K. Inputs x [m, n] and K.
 * @see peft `tuners/osf/layer.py` _attach_hooks
 */
const PROJECTED_GRADIENT: Composite = {
  name: "projectedGradient",
  decompose: ([x]) => [x!],
  vjp: ([, kept], _, __, [dx]) => [sub(dx!, matmul(matmul(dx!, swapLast(kept!)), kept!)), undefined],
};
const awayFrom = (x: Tensor, kept: Tensor): Tensor => callComposite(PROJECTED_GRADIENT, [x, kept])[0]!;

const constant = ({ data, rows, cols }: Matrix, { dtype }: LayerSpec): Tensor => rounded(data, [rows, cols], dtype);

const DECODER = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "down_proj", "up_proj"];

const ADDITIVE: AdapterMethod<OsfConfigFields> = lowRank({
  name: "OSF",
  defaultTargets: {
    models: {
      llama: DECODER,
      llama4: DECODER,
      mistral: DECODER,
      mixtral: DECODER,
      gemma: DECODER,
      gemma2: DECODER,
      gemma3_text: DECODER,
      qwen2: DECODER,
      qwen3: DECODER,
      phi: DECODER,
      gpt2: ["c_attn", "c_proj"],
      bloom: ["query_key_value", "dense_4h_to_h"],
      opt: ["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
      gptj: ["q_proj", "k_proj", "v_proj", "out_proj", "fc_in", "fc_out"],
      gpt_neox: ["query_key_value", "dense_4h_to_h"],
      falcon: ["query_key_value", "dense_4h_to_h"],
      gpt_bigcode: ["c_attn", "c_proj"],
    },
    others: "all-linear",
  },
  prefix: "osf_",
  fields: FIELDS,
  checkNew(config, layer) {
    const { kept, all } = split(config, layer);
    return kept === all ? [`effective_rank is ${config.effectiveRank}, which keeps all ${all} directions: nothing is trained`] : [];
  },
  configFromShapes(config, layer, { S_low: shape }) {
    const { all } = split({ ...config, effectiveRank: 1 }, layer);
    return shape && shape[0]! < all ? { ...config, effectiveRank: all - shape[0]! } : config;
  },
  parameters(config, size, layer) {
    const { kept, all } = split(config, layer);
    const init = config.initWeights === false ? normal() : "zeros";
    return {
      U_low: trained([size.out, all - kept], init),
      S_low: trained([all - kept], init),
      V_low: trained([all - kept, size.in], init),
    };
  },
  names: [],
  derived: {
    work(_, layer) {
      const { in: inputs, out } = featuresOf(layer);
      return 12 * inputs * out * Math.min(inputs, out);
    },
    async derive(config, layer, { weight }) {
      const { kept, all } = split(config, layer);
      const { u, s, vt } = torchSvd(await weightMatrix(await weight(), layer), all);
      const left = (range: readonly [number, number]): Tensor => constant(block(u, [0, u.rows], range), layer);
      const right = (range: readonly [number, number]): Tensor => constant(block(vt, range, [0, vt.cols]), layer);
      const lower = (): readonly [Tensor, Tensor, Tensor] => [
        left([kept, all]),
        rounded(s.slice(kept), [all - kept], layer.dtype),
        right([kept, all]),
      ];
      const [U_start, S_start, V_start] = lower();
      // Tensors of their own: gradients of what is trained must not go through what it began as.
      const [U_low, S_low, V_low] = lower();
      return {
        params: { U_start, S_start, V_start, U_kept: left([0, kept]), V_kept: right([0, kept]) },
        ...(config.initWeights !== false && { initial: { U_low, S_low, V_low } }),
      };
    },
  },
  factors({ U_low, S_low, V_low, U_start, S_start, V_start, U_kept, V_kept }: Params) {
    const U = swapLast(awayFrom(swapLast(U_low!), swapLast(U_kept!)));
    return [concat([awayFrom(V_low!, V_kept!), V_start!]), concat([mul(U, S_low!), neg(mul(U_start!, S_start!))], 1)];
  },
});

/**
 * OSF (Nayak et al. 2025): W' = W + U·diag(S)·V - U₀·diag(S₀)·V₀, where U₀, S₀, V₀ are the lower singular directions of W, which are learned on, and the
 * `effective_rank` upper ones stay: gradients of U and V keep away from them. U [out, n], S [n], V [n, in]. Linear.
 *
 * U₀, S₀ and V₀ are in no file; only their product counts, whatever signs their vectors have.
 * @see peft `tuners/osf/layer.py`, `utils.py`
 */
export const OSF: AdapterMethod<OsfConfigFields> = {
  ...ADDITIVE,
  keys: () => ({ U_low: ["osf_svd_params.U_low"], S_low: ["osf_svd_params.S_low"], V_low: ["osf_svd_params.V_low"] }),
  configAt(config, path, matches) {
    // The pattern by itself first: one that is no expression must not become one by what is put around it.
    const found = Object.entries(config.rankPattern ?? {}).find(([pattern]) => matches(pattern) || matches(`.*(?:${pattern}).*`));
    return found ? { ...config, effectiveRank: found[1] } : config;
  },
};
