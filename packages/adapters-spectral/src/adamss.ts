import {
  type AdapterContext,
  type AdapterMethod,
  add,
  boolean,
  CapabilityError,
  cast,
  concat,
  type ConfigClass,
  configClass,
  ConfigError,
  type Derived,
  featuresOf,
  float,
  gather,
  integer,
  type LayerSpec,
  matmul,
  oneOf,
  opaque,
  type ParameterSpec,
  type Params,
  reshape,
  type Shape,
  slice,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { jacobiSvd, matrix, type Matrix } from "@weft/tensor-core/linalg";
import {
  BY_LAYER,
  fields,
  fixed,
  lowRank,
  normal,
  rank,
  requireAtMost,
  roundsDelta,
  seed,
  times,
  trained,
  wide,
  widened,
} from "@weft/tensor-core/methods";
import { knownGroups, newSubspaces, rowsOf, type SubspaceOptions, type Subspaces, withBias } from "./adamss-groups.js";
import { rounded, weightMatrix } from "./weight-matrix.js";

/** More groups than any adapter has; the names of their parameters are listed. */
const MAX_GROUPS = 256;

/** A group of outputs: how many they are, and the rank of their change. */
interface Group {
  readonly size: number;
  readonly rank: number;
}

/** The config of an AdaMSS adapter. */
export interface AdamssConfigFields {
  /** Singular directions of the weight that are looked at. */
  readonly r: number;
  readonly numSubspaces: number;
  /** Groups would be pruned in training: refused. */
  readonly useAsa: boolean;
  /** Rank of each group's change, at most. */
  readonly subspaceRank: number;
  readonly initWeights: "orthogonal" | null | false;
  /** Each group has as many directions as have singular values above `svdThreshold` of its largest. */
  readonly useDynamicRank: boolean;
  readonly svdThreshold: number;
  readonly randomSeed: number;
  /** The groups of this layer; found out. */
  readonly groups?: readonly Group[];
}

const FIELDS = fields(
  "adamss",
  [],
  {
    r: rank(100),
    num_subspaces: integer(5, 1, MAX_GROUPS),
    subspace_rank: rank(1),
    init_weights: oneOf<unknown>("orthogonal", ["orthogonal", null, false]),
    use_asa: boolean(false),
    asa_target_subspaces: opaque(50),
    init_warmup: opaque(50),
    final_warmup: opaque(1000),
    mask_interval: opaque(100),
    asa_importance_beta: { ...opaque(0.85), float: true },
    asa_uncertainty_beta: { ...opaque(0.85), float: true },
    asa_schedule_exponent: { ...opaque(3), float: true },
    use_dynamic_rank: boolean(false),
    svd_threshold: float(0.1),
    random_seed: seed(0),
  },
  BY_LAYER,
);

/** PEFT's `AdamssConfig` (`peft_type` ADAMSS): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const AdamssConfig: ConfigClass<AdamssConfigFields> = configClass("ADAMSS", FIELDS);

/** Columns of the weight that is decomposed: the bias is one. */
const width = (layer: LayerSpec): number => featuresOf(layer).in + (layer.bias ? 1 : 0);

function optionsOf({ r, numSubspaces, randomSeed }: AdamssConfigFields, layer: LayerSpec): SubspaceOptions {
  const { out } = featuresOf(layer);
  return { r: Math.min(r, out, width(layer)), groups: Math.min(numSubspaces, out), seed: randomSeed };
}

/** B [out, r] of ΔW = B·newB: each group's B·A at the places of its outputs. */
function left(params: Params, { groups }: AdamssConfigFields): Tensor {
  return gather(concat(groups!.map((_, i) => matmul(params[`B.${i}`]!, params[`A.${i}`]!))), params.places!, 0);
}

const ADDITIVE: AdapterMethod<AdamssConfigFields> = lowRank({
  name: "ADAMSS",
  defaultTargets: { models: { vit: ["query", "value"] } },
  prefix: "adamss_",
  fields: FIELDS,
  configFromShapes(config, _, shapes) {
    const groups: Group[] = [];
    for (let i = 0; shapes[`B.${i}`]; i++) {
      const [size, ofGroup] = shapes[`B.${i}`] as Shape & [number, number];
      groups.push({ size, rank: ofGroup });
    }
    return { ...config, groups };
  },
  parameters(config, size, layer) {
    const { groups, initWeights } = config;
    if (!groups) throw new ConfigError("ADAMSS: the groups of a layer follow from its weight");
    const { r } = optionsOf(config, layer);
    requireAtMost("ADAMSS", "subspace_rank", Math.max(...groups.map((group) => group.rank)), r);
    const specs: { [name: string]: ParameterSpec } = {};
    groups.forEach((group, i) => (specs[`A.${i}`] = trained([group.rank, r])));
    groups.forEach(
      (group, i) => (specs[`B.${i}`] = trained([group.size, group.rank], initWeights === "orthogonal" ? "zeros" : normal(0.01))),
    );
    return { ...specs, newB: fixed([r, size.in + (layer.bias ? 1 : 0)]) };
  },
  names: [...Array.from({ length: MAX_GROUPS }, (_, i) => [`A.${i}`, `B.${i}`]).flat(), "newB"],
  derived: {
    work(config, layer) {
      const { r, groups } = optionsOf(config, layer);
      const { out } = featuresOf(layer);
      return 10 * out * width(layer) * r + 11 * groups * out * r;
    },
    async derive(config, layer, { path, weight, bias }, loaded, isNew) {
      const column = await bias();
      const all = withBias(await weightMatrix(await weight(), layer), column && (await wide(column).data()));
      const options = optionsOf(config, layer);
      if (isNew) return begin(config, layer, newSubspaces(path, all, options));
      const newB = matrix(options.r, all.cols, await wide(loaded.newB!).data());
      const sizes = config.groups!.map(({ size }) => size);
      return { params: { places: placesOf(knownGroups(path, all, newB, sizes, options)) } };
    },
  },
  rounding: roundsDelta,
  factors: (params, config, size) => [slice(params.newB!, [undefined, [0, size.in]]), left(params, config)],
});

/** Δb [out], of the column behind those of the weight. */
function biasChange(params: Params, { layer, config, scale }: AdapterContext<AdamssConfigFields>): Tensor {
  const { in: inputs } = featuresOf(layer);
  const column = slice(wide(params.newB!), [undefined, [inputs, inputs + 1]]);
  return reshape(times(matmul(left(widened(params), config), column), scale), [-1]);
}

/** Per output its place among the outputs group by group. */
function placesOf(groups: readonly (readonly number[])[]): Tensor {
  const order = groups.flat();
  const places = new Int32Array(order.length);
  order.forEach((output, place) => (places[output] = place));
  return tensor(places, { shape: [order.length] });
}

/** A new adapter: A of each group the main directions of its rows of U. */
function begin(config: AdamssConfigFields, layer: LayerSpec, { u, vt, groups }: Subspaces): Promise<Derived<AdamssConfigFields>> {
  const made = groups.map((outputs) => mainDirections(rowsOf(u, outputs), config));
  return Promise.resolve({
    config: { ...config, groups: made.map(({ rows }, i) => ({ size: groups[i]!.length, rank: rows })) },
    params: { places: placesOf(groups) },
    initial: {
      newB: rounded(vt.data, [vt.rows, vt.cols], layer.dtype),
      ...Object.fromEntries(made.map(({ rows, cols, data }, i) => [`A.${i}`, rounded(data, [rows, cols], layer.dtype)])),
    },
  });
}

function mainDirections(rows: Matrix, { subspaceRank, useDynamicRank, svdThreshold }: AdamssConfigFields): Matrix {
  const { s, vt } = jacobiSvd(rows);
  // PEFT compares the values of rows·rowsᵀ: squares.
  const large = useDynamicRank ? s.filter((x) => x * x > svdThreshold * s[0]! ** 2).length : Infinity;
  const chosen = Math.max(1, Math.min(large, rows.rows, subspaceRank));
  return matrix(chosen, vt.cols, vt.data.slice(0, chosen * vt.cols));
}

/**
 * AdaMSS (2026): outputs whose rows of the left singular vectors of [W b] are alike are a group with a low-rank change of its own inside the r main right
 * singular directions: Δ[W b]_group = B_i·A_i·newB, with A_i [rank, r], B_i [outputs of the group, rank] and newB [r, in (+ 1 with a bias)]. Linear.
 *
 * Which outputs are a group is in no file: PEFT clusters again on loading, and so does this, with the same draws; the result is held against the
 * vectors and the sizes in the file. Pruning of groups in training (`use_asa`) is not done.
 * @see peft `tuners/adamss/layer.py`, `utils.py`
 */
export const ADAMSS: AdapterMethod<AdamssConfigFields> = {
  ...ADDITIVE,
  checkNew({ useAsa }) {
    if (useAsa) throw new CapabilityError("ADAMSS: use_asa prunes groups in training, which is not done here", { hint: "set it to false" });
    return [];
  },
  // PEFT's merges round it as they round ΔW.
  biasDelta: (params, context) => (context.layer.bias ? cast(biasChange(params, context), context.layer.dtype) : undefined),
  forward(x, base, params, context) {
    const y = ADDITIVE.forward(x, base, params, context);
    return context.layer.bias ? cast(add(wide(y), biasChange(params, context)), y.dtype) : y;
  },
};
