import {
  boolean,
  type ConfigClass,
  configClass,
  ConfigError,
  convLike,
  type FieldTable,
  integer,
  isConv,
  kron,
  kronLinear,
  type LayerSpec,
  matmul,
  mul,
  oneOf,
  type Params,
  reshape,
  swapLast,
  type Tensor,
} from "@weft/tensor-core";
import { PEFT_FIELDS, type RankConfig, rankScale } from "../config.js";
import { type LycorisMethod, lycorisMethod, type Shapes, withValues } from "../method.js";
import { factorize } from "../parts/factorize.js";
import { hasKernel, isDense, trained } from "../parts/low-rank.js";
import { tuckerRebuild } from "../parts/tucker.js";

export interface LokrConfigFields extends RankConfig {
  readonly useEffectiveConv2d: boolean;
  readonly decomposeBoth: boolean;
  readonly decomposeFactor: number;
  readonly initWeights: boolean | "lycoris";
  /** LyCORIS: neither half is factored. */
  readonly fullMatrix?: boolean;
  /** LyCORIS: the larger factor of the output belongs to w1. */
  readonly unbalancedFactorization?: boolean;
  /** What a file's shapes say of the factorisation, in place of the options above. Set by `configFromShapes`. */
  readonly form?: LokrForm;
}

/** w1 [out1, in1] ⊗ w2 [out/out1, in/in1, *kernel], each whole or a product of its rank. */
export interface LokrForm {
  readonly out1: number;
  readonly in1: number;
  readonly rank1: number | null;
  readonly rank2: number | null;
  /** w2 has a Tucker core. */
  readonly tucker: boolean;
}

const FIELDS: FieldTable = {
  ...PEFT_FIELDS,
  decompose_both: boolean(false),
  decompose_factor: integer(-1, -1, 2 ** 31 - 1),
  rank_dropout_scale: boolean(false),
  init_weights: oneOf<boolean | string>(true, [true, false, "lycoris"]),
};

/**
 * A checked config under PEFT's rules, of PEFT's JSON or camelCase; `lycorisConfig(LOKR, …)` makes one under LyCORIS'.
 * @throws ConfigError naming the field
 */
export const LokrConfig: ConfigClass<LokrConfigFields> = configClass("LOKR", FIELDS);

function formOf(config: LokrConfigFields, { shape: [out, inputs] }: LayerSpec): LokrForm {
  if (config.form) return config.form;
  const { r, decomposeBoth, decomposeFactor, dialect, fullMatrix, unbalancedFactorization } = config;
  const outs = factorize(out!, decomposeFactor, dialect === "lycoris");
  const [out1, out2] = unbalancedFactorization ? [outs[1], outs[0]] : outs;
  const [in1, in2] = factorize(inputs!, decomposeFactor, dialect === "lycoris");
  return {
    out1,
    in1,
    rank1: decomposeBoth && !fullMatrix && r < Math.max(out1, in1) / 2 ? r : null,
    rank2: !fullMatrix && r < Math.max(out2, in2) / 2 ? r : null,
    tucker: config.useEffectiveConv2d,
  };
}

function formFromShapes({ w1, w1a, w1b, w2, w2a, w2b, t2 }: Shapes, { shape: [out, inputs] }: LayerSpec): LokrForm | undefined {
  const [out1, in1] = [(w1 ?? w1a)?.[0], (w1 ?? w1b)?.[1]];
  if (!out1 || !in1) return undefined;
  if (out! % out1 !== 0 || inputs! % in1 !== 0)
    throw new ConfigError(`LOKR: w1 is [${out1}, ${in1}], which does not divide the weight [${out}, ${inputs}, …]`);
  const tucker = t2 !== undefined;
  const rank2 = w2b?.[0] ?? w2a?.[tucker ? 0 : 1] ?? null;
  return { out1, in1, rank1: w1 ? null : (w1b?.[0] ?? null), rank2: w2 ? null : rank2, tucker };
}

/** LyCORIS' loaders and its constructor take both halves whole for trained without a scale. */
function scaleOf(config: LokrConfigFields, { rank1, rank2 }: LokrForm): number {
  return config.dialect === "lycoris" && rank1 === null && rank2 === null ? 1 : rankScale(config);
}

const left = ({ w1, w1a, w1b }: Params): Tensor => w1 ?? matmul(w1a!, w1b!);

/** w2 [out2, in2, *kernel]. */
function right({ w2, w2a, w2b, t2 }: Params, layer: LayerSpec, { out1, in1 }: LokrForm): Tensor {
  const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
  const shape = [out / out1, inputs / in1, ...kernel];
  return w2 ?? (t2 ? tuckerRebuild(swapLast(w2a!), t2, w2b!, shape) : reshape(matmul(w2a!, w2b!), shape));
}

/**
 * PEFT's layout where w2 is whole and the layer a Conv1d: `torch.kron` lines [out1, in1] up with the last two axes of [out2, in2,
 * kernel], which makes [out2, out1·in2, in1·kernel], and the result is read as [out, in, kernel].
 */
const isScrambled = (config: LokrConfigFields, layer: LayerSpec, { w2 }: Params): boolean =>
  layer.kind === "conv1d" && w2 !== undefined && config.dialect !== "lycoris";

function scrambled(w1: Tensor, w2: Tensor, layer: LayerSpec): Tensor {
  const [out1, in1] = w1.shape as [number, number];
  const [out2, in2, kernel] = w2.shape as [number, number, number];
  return reshape(mul(reshape(w1, [1, out1, 1, in1, 1]), reshape(w2, [out2, 1, in2, 1, kernel])), layer.shape);
}

/**
 * LoKr: ΔW = s·(w1 ⊗ w2), ΔW[oa·O₂ + ob, ia·I₂ + ib, κ] = s·w1[oa, ia]·w2[ob, ib, κ]; w1 and w2 are whole, products of rank r, or w2 a
 * Tucker form. The scale is applied once; s = alpha / r, but 1 in LyCORIS' files where both are whole. ΔW·x is computed from the two
 * factors, without ΔW, unless the layer has groups. One definition for PEFT's and LyCORIS' files, whose keys are the same; shapes decide
 * how a file is factored.
 * @see Yeh et al. 2023 (LyCORIS); peft `tuners/lokr/layer.py`; lycoris `modules/lokr.py`
 */
export const LOKR: LycorisMethod<LokrConfigFields> = lycorisMethod<LokrConfigFields>({
  name: "LOKR",
  prefix: "lokr_",
  fields: FIELDS,
  marks: { lokr_w1: 3, lokr_w1_a: 4 },
  suffixes: {
    w1: "lokr_w1",
    w1a: "lokr_w1_a",
    w1b: "lokr_w1_b",
    w2: "lokr_w2",
    w2a: "lokr_w2_a",
    w2b: "lokr_w2_b",
    t2: "lokr_t2",
    doraScale: "dora_scale",
  },
  scalars: ["alpha"],
  checkNew({ decomposeFactor }) {
    if (decomposeFactor === 0)
      throw new ConfigError("LOKR: decompose_factor is 0, which divides nothing", { hint: "-1 factors as evenly as possible" });
    return [];
  },
  parameters(config, layer) {
    const { out1, in1, rank1, rank2, ...form } = formOf(config, layer);
    const [out, inputs, ...kernel] = layer.shape as [number, number, ...number[]];
    const [out2, in2] = [out / out1, inputs / in1];
    const { initWeights, dialect } = config;
    const lycoris = dialect === "lycoris" || initWeights === "lycoris";
    const first = lycoris || !initWeights ? "kaimingUniform" : "zeros";
    const last = lycoris && initWeights ? "zeros" : "kaimingUniform";
    const tucker = form.tucker && hasKernel(layer);
    // PEFT gives the core of a Conv1d the axes of a Conv2d's.
    const extra = kernel.length === 1 && dialect !== "lycoris" ? [1] : [];
    return {
      ...(rank1 === null
        ? { w1: trained([out1, in1], first) }
        : { w1a: trained([out1, rank1], first), w1b: trained([rank1, in1], "kaimingUniform") }),
      ...(rank2 === null
        ? { w2: trained([out2, in2, ...kernel], last) }
        : {
            w2a: trained(tucker ? [rank2, out2] : [out2, rank2], "kaimingUniform"),
            w2b: trained([rank2, tucker ? in2 : in2 * kernel.reduce((x, y) => x * y, 1)], last),
            ...(tucker && { t2: trained([rank2, rank2, ...kernel, ...extra], "kaimingUniform") }),
          }),
    };
  },
  configFromShapes(config, layer, shapes) {
    const form = formFromShapes(shapes, layer);
    if (!form) return config;
    return withValues(config, { form, r: form.rank2 ?? form.rank1 ?? config.r });
  },
  delta(params, { layer, config }) {
    const form = formOf(config, layer);
    const [w1, w2] = [left(params), right(params, layer, form)];
    const product = isScrambled(config, layer, params) ? scrambled(w1, w2, layer) : kron(w1, w2);
    return mul(product, scaleOf(config, form));
  },
  effect(x, params, { layer, config }) {
    const form = formOf(config, layer);
    const w1 = mul(left(params), scaleOf(config, form));
    if (!isConv(layer)) return kronLinear(x, w1, right(params, layer, form));
    if (!isDense(layer) || isScrambled(config, layer, params)) return undefined;
    const [batch, channels, ...spatial] = x.shape as [number, number, ...number[]];
    const parts = reshape(x, [batch * form.in1, channels / form.in1, ...spatial]);
    const y = convLike(layer, parts, right(params, layer, form));
    const mixed = matmul(w1, reshape(y, [batch, form.in1, -1]));
    return reshape(mixed, [batch, layer.shape[0]!, ...y.shape.slice(2)]);
  },
});
