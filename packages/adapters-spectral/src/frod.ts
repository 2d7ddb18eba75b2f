import {
  type AdaptedModule,
  type AdapterMethod,
  add,
  boolean,
  CapabilityError,
  cast,
  type ConfigClass,
  configClass,
  ConfigError,
  featuresOf,
  type Field,
  float,
  forwardBase,
  linear,
  matmul,
  mul,
  type Params,
  reshape,
  scatterAdd,
  slice,
  sub,
  swapLast,
  tensor,
  type Tensor,
  zeros,
} from "@weft/tensor-core";
import { matrix, type Matrix, solve, transposed } from "@weft/tensor-core/linalg";
import { BY_LAYER, fields, fixed, rewriting, seed, times, trained, wide } from "@weft/tensor-core/methods";
import { rounded, weightMatrix } from "./weight-matrix.js";

/** The config of a FRoD adapter; seed and regularization were used when PEFT made its projections. */
export interface FrodConfigFields {
  /** Seed of the places of S. */
  readonly projectionPrngKey: number;
  /** Share of the entries of S beside the diagonal that are trained. */
  readonly sparseRate: number;
  readonly regularizationAlpha: number;
  readonly fanInFanOut: boolean;
  readonly initWeights: boolean;
  /** The role of this layer, whose projection it takes; found out. */
  readonly category?: string;
}

const SAVED: Field = {
  fallback: true,
  check: (v) => v === true,
  expected:
    "true: without projections in the file they are eigenvectors of the base weights, whose signs LAPACK chose and nothing tells; save it again with PEFT so that it holds them",
};

const FIELDS = fields(
  "frod",
  ["dropout", "fan_in_fan_out", "bias", "init_weights"],
  {
    projection_prng_key: seed(0),
    save_projection: SAVED,
    sparse_rate: { ...float(0.01), check: (v) => typeof v === "number" && v >= 0 && v <= 1, expected: "a number from 0 to 1" },
    regularization_alpha: float(1e-3),
    progressbar: boolean(true),
    runtime_offload_base_weight: boolean(false),
  },
  BY_LAYER,
);

/** PEFT's `FrodConfig` (`peft_type` FROD): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const FrodConfig: ConfigClass<FrodConfigFields> = configClass("FROD", FIELDS);

/** Entries of S [n, n] that are trained. */
function entries({ sparseRate }: FrodConfigFields, n: number): number {
  const offDiagonal = n * n - n;
  const wanted = Math.min(Math.floor(n * n * sparseRate), offDiagonal);
  return sparseRate > 0 && offDiagonal > 0 ? Math.max(1, wanted) : wanted;
}

/** The role that a module has in its block, by which projections are shared: `self_attn_q_proj`. @see peft `tuners/frod/model.py` _category_from_key */
function categoryOf(path: string): string {
  const parts = path.split(".");
  const [above, last] = [parts.at(-2), parts.at(-1)!];
  if (above === undefined || /^\d+$/.test(above)) return last;
  const category = `${above}_${last}`;
  return category === "output_dense" && parts.at(-3) === "attention" ? "attention_output" : category;
}

/** Modules by role. */
function byCategory(modules: readonly AdaptedModule[]): Map<string, AdaptedModule[]> {
  const result = new Map<string, AdaptedModule[]>();
  for (const module of modules) {
    const category = categoryOf(module.path);
    result.set(category, [...(result.get(category) ?? []), module]);
  }
  return result;
}

/** U [out, in] of U·diag(l)·Vᵀ = W with columns of length 1, or of zeros; undefined if V is singular. */
function leftFactor(weight: Matrix, basis: Matrix): Matrix | undefined {
  const turned = solve(basis, transposed(weight));
  if (!turned) return undefined;
  for (let i = 0; i < turned.rows; i++) {
    const row = turned.data.subarray(i * turned.cols, (i + 1) * turned.cols);
    const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    row.forEach((x, j) => (row[j] = size > 1e-12 ? x / size : 0));
  }
  return transposed(turned);
}

/** V, and the dense S + diag(λ) [in, in]. */
function middle(
  { lambda_l, lambda_s_values, ...params }: Params,
  { category }: FrodConfigFields,
): { readonly V: Tensor; readonly S: Tensor } {
  const [V, indices] = [wide(params[`frod_V.${category}`]!), params[`frod_s_indices.${category}`]!];
  const n = V.shape[0]!;
  const flat = (t: Tensor): Tensor => reshape(t, [-1]);
  const off = add(mul(flat(slice(indices, [[0, 1]])), n), flat(slice(indices, [[1, 2]])));
  const diagonal = tensor(
    Int32Array.from({ length: n }, (_, i) => i * (n + 1)),
    { shape: [n] },
  );
  const sparse = scatterAdd(zeros([n * n]), off, wide(lambda_s_values!));
  return { V, S: reshape(scatterAdd(sparse, diagonal, wide(lambda_l!)), [n, n]) };
}

const REWRITING = rewriting<FrodConfigFields>({
  name: "FROD",
  defaultTargets: { models: { phi: ["q_proj", "v_proj"], vit: ["query", "value"] } },
  prefix: "frod_",
  fields: FIELDS,
  parameters: (config, size) => ({
    lambda_l: trained([size.in]),
    lambda_s_values: trained([entries(config, size.in)]),
  }),
  names: ["lambda_l", "lambda_s_values"],
  shared: {
    parameters(config, modules) {
      return Object.fromEntries(
        [...byCategory(modules)].flatMap(([category, members]) => {
          const [n, ...others] = new Set(members.map(({ layer }) => featuresOf(layer).in));
          if (others.length > 0)
            throw new ConfigError(
              `FROD: modules ${members.map(({ path }) => path).join(", ")} share a projection, but have ${n} and ${others.join(", ")} inputs`,
            );
          return [
            [`frod_V.${category}`, { ...fixed([n!, n!]), dtype: members[0]!.layer.dtype }],
            [`frod_s_indices.${category}`, fixed([2, entries(config, n!)])],
            [`frod_s_size.${category}`, fixed([2])],
          ];
        }),
      );
    },
  },
  derived: {
    work(_, layer) {
      const { in: inputs, out } = featuresOf(layer);
      return inputs * inputs * (inputs + out);
    },
    async derive(config, layer, { path, weight }, params, isNew) {
      if (isNew)
        throw new CapabilityError(
          "FROD: PEFT reads a new adapter right only if its projections are PEFT's own: it makes U of those, not of the file's, and their signs are LAPACK's choice",
          { hint: "create the adapter with PEFT; it can then be loaded, trained, merged and saved here" },
        );
      const category = categoryOf(path);
      const V = params[`frod_V.${category}`]!;
      const [n] = V.shape as [number, number];
      const u = leftFactor(await weightMatrix(await weight(), layer), matrix(n, n, await wide(V).data()));
      if (!u)
        throw new CapabilityError(`${path}: FROD's projection frod_V.${category} is singular`, {
          kind: "undetermined",
          tensor: `frod_V.${category}`,
        });
      return { config: { ...config, category }, params: { U: rounded(u.data, [u.rows, n], layer.dtype) } };
    },
  },
  change(weight, params, config, _, rounded) {
    const { V, S } = middle(params, config);
    return rounded(sub(rounded(matmul(rounded(matmul(params.U!, rounded(S))), swapLast(V))), weight));
  },
});

/**
 * FRoD (2026): W' = U·(S + diag(λ))·Vᵀ with learned λ [in] and a sparse S [in, in], of which few entries beside the diagonal are learned. V [in, in] and
 * the places of S (i32 [2, n]) are shared by modules of one role in their blocks and lie in the file; U [out, in] has the columns of W·V⁻ᵀ, scaled to
 * length 1. Linear and Conv1D (fan_in_fan_out).
 * @see peft `tuners/frod/layer.py`, `model.py`
 */
export const FROD: AdapterMethod<FrodConfigFields> = {
  ...REWRITING,
  forward(x, base, params, { layer, config, scale }, dropout) {
    const { V, S } = middle(params, config);
    const input = wide(dropout ? dropout(x) : x);
    const turned = linear(linear(matmul(input, V), S), params.U!);
    // One adapter as trained takes the place of the base's product.
    if (scale === 1 && !dropout && !base.forward) return cast(base.bias ? add(turned, wide(base.bias)) : turned, x.dtype);
    const y = forwardBase(layer, base, x);
    const effect = sub(turned, forwardBase(layer, { weight: wide(base.weight) }, input));
    return cast(add(y, times(effect, scale)), y.dtype);
  },
};
