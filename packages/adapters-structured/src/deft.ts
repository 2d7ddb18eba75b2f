import {
  type AdapterMethod,
  boolean,
  broadcastTo,
  cast,
  type ConfigClass,
  configClass,
  div,
  equal,
  float,
  greaterEqual,
  initParameters,
  iota,
  less,
  matmul,
  mul,
  neg,
  norm,
  oneOf,
  relu,
  slice,
  sub,
  sum,
  swapLast,
  type Tensor,
  where,
} from "@weft/tensor-core";
import { fields, normal, optional, rank, rewriting, roundsDelta, stored, times, trained, wide, checkRank } from "@weft/tensor-core/methods";

/** The config of a DEFT adapter. */
export interface DeftConfigFields {
  /** At most the number of outputs. */
  readonly r: number;
  readonly decompositionMethod: "relu" | "qr";
  readonly initScale: number;
  /** What is put in is scaled by alpha / r; not at all if null. */
  readonly alpha: number | null;
  /** Only take out (PaRa). */
  readonly para: boolean;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const FIELDS = fields("deft", ["fan_in_fan_out", "dropout", "init_weights", "bias"], {
  r: rank(8),
  decomposition_method: oneOf("relu", ["relu", "qr"]),
  init_scale: float(1),
  alpha: optional(Number.isInteger, "an integer"),
  para: boolean(false),
});

/** PEFT's `DeftConfig` (`peft_type` DEFT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const DeftConfig: ConfigClass<DeftConfigFields> = configClass("DEFT", FIELDS);

/** x less twice its part along v, for columns x. */
const reflect = (x: Tensor, v: Tensor): Tensor => sub(x, mul(v, div(mul(matmul(swapLast(v), x), 2), sum(mul(v, v)))));

/** Q [n, r] of P = Q·R by Householder reflections, with LAPACK's signs (torch.linalg.qr): each turns a column to -sign(its first) of the axis. */
function orthogonal(P: Tensor): Tensor {
  const [n, r] = P.shape as [number, number];
  const row = iota([n, 1], 0);
  const mirrors: Tensor[] = [];
  let rest = P;
  for (let j = 0; j < Math.min(r, n - 1); j++) {
    const column = where(greaterEqual(row, j), slice(rest, [undefined, [j, j + 1]]), 0);
    const first = slice(column, [[j, j + 1]]);
    const size = norm(column, { axes: [0], keepDims: true });
    const mirror = sub(column, where(equal(row, j), broadcastTo(where(less(first, 0), size, neg(size)), [n, 1]), 0));
    rest = reflect(rest, mirror);
    mirrors.push(mirror);
  }
  const axes = cast(equal(iota([n, r], 0), iota([n, r], 1)), "f32");
  return mirrors.reduceRight(reflect, axes);
}

/** Left and right factor [out, r] of the projector left·rightᵀ. */
function projector(P: Tensor, { decompositionMethod }: DeftConfigFields): [left: Tensor, right: Tensor] {
  if (decompositionMethod === "relu") return [P, relu(P)];
  const Q = orthogonal(P);
  return [Q, Q];
}

/** s of what is put in: alpha/r, or 1. */
const injection = ({ alpha }: DeftConfigFields, P: Tensor): number => (alpha ? alpha / P.shape[1]! : 1);

/**
 * DEFT (Kumar et al. 2025): takes a subspace of the outputs out of the weight and puts a learned part in: ΔW = P·(s·R - relu(P)ᵀ·W), with `qr`
 * the orthogonal factor of P in both places; `para` only takes out. P [out, r], R [r, in]. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/deft/layer.py`
 */
export const DEFT: AdapterMethod<DeftConfigFields> = rewriting({
  name: "DEFT",
  prefix: "deft_",
  fields: FIELDS,
  checkNew: checkRank,
  parameters(config, size) {
    const r = Math.min(config.r, size.out);
    return { P: trained([size.out, r], normal(0.02)), ...(!config.para && { R: trained([r, size.in], normal(0.02 * config.initScale)) }) };
  },
  names: ["P", "R"],
  rounding: roundsDelta,
  init(config, layer, generator, weight) {
    const params = initParameters(DEFT.parameters(config, layer), generator);
    if (config.para || !config.initWeights || !weight) return Promise.resolve({ params });
    const [, right] = projector(params.P!, config);
    const R = times(matmul(swapLast(right), stored(wide(weight), layer)), 1 / injection(config, params.P!));
    return Promise.resolve({ params: { ...params, R } });
  },
  change(weight, { P, R }, config) {
    const [left, right] = projector(P!, config);
    const taken = matmul(swapLast(right), weight);
    return matmul(left, R ? sub(times(R, injection(config, P!)), taken) : neg(taken));
  },
});
