import {
  type AdapterMethod,
  boolean,
  cast,
  cayley,
  cayleyNeumann,
  concat,
  configClass,
  type ConfigClass,
  div,
  equal,
  featuresOf,
  type Field,
  add,
  greater,
  initParameters,
  iota,
  matmul,
  mul,
  neg,
  norm,
  oneOf,
  type ParameterSpec,
  type Params,
  reshape,
  slice,
  sub,
  swapLast,
  type Tensor,
  where,
  zeros,
} from "@weft/tensor-core";
import { type Matrix, type Svd, torchSvd, torchSvdLowRank } from "@weft/tensor-core/linalg";
import {
  count,
  fields,
  lowRank,
  normal,
  optional,
  rank,
  requireAtMost,
  roundsDelta,
  seed,
  times,
  trained,
} from "@weft/tensor-core/methods";
import { settledSvd } from "./settled-svd.js";
import { rounded, weightMatrix } from "./weight-matrix.js";

/** The config of a PSOFT adapter. */
export interface PsoftConfigFields {
  readonly r: number;
  readonly psoftAlpha: number;
  /** Where the singular values go: `psoft_init` all into B, so that the rows of A are orthonormal; `pissa_init` half into each. */
  readonly abSvdInit: "psoft_init" | "pissa_init";
  readonly psoftSvd: "full" | "lowrank";
  /** Power iterations and seed of `lowrank`. */
  readonly psoftSvdLowrankNiter: number;
  readonly randomSeed: number;
  /** R is a rotation; else any matrix. */
  readonly psoftOrth: boolean;
  /** Learned scales of R's rows (b) and columns (a). */
  readonly psoftMagB: boolean;
  readonly psoftMagA: boolean;
  readonly useCayleyNeumann: boolean;
  readonly numCayleyNeumannTerms: number;
  readonly cayleyNeumannEps: number | null;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
}

const positive = (fallback: number): Field => ({
  fallback,
  check: (v) => typeof v === "number" && Number.isFinite(v) && v > 0,
  expected: "a number above 0",
});

const FIELDS = fields("psoft", ["dropout", "fan_in_fan_out", "init_weights"], {
  r: rank(32),
  psoft_alpha: positive(32),
  ab_svd_init: oneOf("psoft_init", ["psoft_init", "pissa_init"]),
  psoft_svd: oneOf("full", ["full", "lowrank"]),
  psoft_svd_lowrank_niter: seed(10),
  random_seed: seed(0),
  psoft_orth: boolean(true),
  psoft_mag_b: boolean(true),
  psoft_mag_a: boolean(true),
  use_cayley_neumann: boolean(false),
  num_cayley_neumann_terms: count(5),
  cayley_neumann_eps: { ...optional((n) => n > 0 && n < 1, "a number between 0 and 1"), float: true },
});

/** PEFT's `PsoftConfig` (`peft_type` PSOFT): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const PsoftConfig: ConfigClass<PsoftConfigFields> = configClass("PSOFT", FIELDS);

const identity = (r: number): Tensor => cast(equal(iota([r, r], 0), iota([r, r], 1)), "f32");

/** Q = T - Tᵀ of the triangle [r(r-1)/2] above the diagonal, row by row. */
function skew(triangle: Tensor, r: number): Tensor {
  let at = 0;
  const rows = Array.from({ length: r }, (_, i) => {
    const length = r - 1 - i;
    const row = [zeros([i + 1]), ...(length > 0 ? [slice(triangle, [[at, at + length]])] : [])];
    at += length;
    return reshape(concat(row), [1, r]);
  });
  const upper = concat(rows);
  return sub(upper, swapLast(upper));
}

/** R = (I + Q)(I - Q)⁻¹ or its series, with its rows and columns scaled. */
function rotation(params: Params, config: PsoftConfigFields): Tensor {
  const { r, psoftOrth, useCayleyNeumann, numCayleyNeumannTerms, cayleyNeumannEps: eps } = config;
  const weight = params["R.weight"]!;
  let R = weight;
  if (psoftOrth) {
    let Q = skew(weight, r);
    if (useCayleyNeumann && eps !== null) {
      const size = norm(Q);
      Q = where(greater(size, eps), mul(Q, div(eps, add(size, 1e-12))), Q);
    }
    const blocks = reshape(Q, [1, r, r]);
    R = reshape(useCayleyNeumann ? cayleyNeumann(blocks, numCayleyNeumannTerms) : cayley(neg(blocks)), [r, r]);
  }
  const [b, a] = [params["R.vector_b"], params["R.vector_a"]];
  if (b) R = mul(reshape(b, [r, 1]), R);
  return a ? mul(R, a) : R;
}

function decomposition({ r, psoftSvd, psoftSvdLowrankNiter, randomSeed }: PsoftConfigFields): (a: Matrix) => Svd {
  if (psoftSvd === "full") return (a) => torchSvd(a, r);
  return (a) => torchSvdLowRank(a, r, psoftSvdLowrankNiter, randomSeed);
}

/**
 * PSOFT (Wu et al. 2026): turns the weight inside its principal subspace: ΔW = s·B·(R - I)·A with a learned r × r rotation R between the singular
 * vectors A [r, in] and B [out, r] of W, which are frozen and in no file; s = alpha/r. Linear.
 *
 * They come with the signs that torch gives them on the CPU: `(R - I)` mixes vectors, so that a pair with the other sign is another adapter. Where only
 * magnitudes are learned, signs have no effect.
 * @see peft `tuners/psoft/layer.py`
 */
export const PSOFT: AdapterMethod<PsoftConfigFields> = lowRank({
  name: "PSOFT",
  prefix: "psoft_",
  fields: FIELDS,
  parameters({ r, psoftOrth, psoftMagB, psoftMagA, initWeights }, size) {
    requireAtMost("PSOFT", "r", r, Math.min(size.in, size.out));
    const triangle = trained([(r * (r - 1)) / 2], initWeights ? "zeros" : normal(0.1));
    return {
      "R.weight": psoftOrth ? triangle : trained([r, r], initWeights ? "zeros" : normal(0.1)),
      ...(psoftMagB && { "R.vector_b": trained([r], "ones") }),
      ...(psoftMagA && { "R.vector_a": trained([r], "ones") }),
    } as { readonly [name: string]: ParameterSpec };
  },
  names: ["R.weight", "R.vector_b", "R.vector_a"],
  init(config, layer, generator) {
    const params = initParameters(PSOFT.parameters(config, layer), generator);
    if (config.psoftOrth) return Promise.resolve({ params });
    return Promise.resolve({ params: { ...params, "R.weight": add(params["R.weight"]!, identity(config.r)) } });
  },
  derived: {
    work({ r, psoftSvd, psoftSvdLowrankNiter }, layer) {
      const { in: inputs, out } = featuresOf(layer);
      // Twice: once more for the changed weight.
      return 2 * inputs * out * (psoftSvd === "full" ? 8 * Math.min(inputs, out) : 8 * r * (psoftSvdLowrankNiter + 1));
    },
    async derive(config, layer, { path, weight }) {
      const { r, psoftAlpha, abSvdInit } = config;
      const { u, s, vt } = settledSvd(path, await weightMatrix(await weight(), layer), decomposition(config));
      const sizes = s.map((x) => (x * r) / psoftAlpha);
      const [ofA, ofB] = abSvdInit === "psoft_init" ? [sizes.map(() => 1), sizes] : [sizes.map(Math.sqrt), sizes.map(Math.sqrt)];
      return {
        params: {
          A: rounded(
            vt.data.map((x, i) => x * ofA[Math.floor(i / vt.cols)]!),
            [r, vt.cols],
            "f32",
          ),
          B: rounded(
            u.data.map((x, i) => x * ofB[i % r]!),
            [u.rows, r],
            "f32",
          ),
        },
      };
    },
  },
  rounding: roundsDelta,
  factors: (params, config) => [
    params.A!,
    matmul(times(params.B!, config.psoftAlpha / config.r), sub(rotation(params, config), identity(config.r))),
  ],
});
