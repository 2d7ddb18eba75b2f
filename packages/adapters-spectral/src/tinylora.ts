import {
  type AdaptedModule,
  type AdapterMethod,
  add,
  boolean,
  CapabilityError,
  cast,
  type ConfigClass,
  configClass,
  featuresOf,
  float,
  forwardBase,
  gather,
  type LayerOrigin,
  type LayerSpec,
  linear,
  matmul,
  oneOf,
  type Params,
  reshape,
  type Tensor,
  torchGenerator,
  torchNormal,
} from "@weft/tensor-core";
import { truncatedSvd } from "@weft/tensor-core/linalg";
import { additive, BY_LAYER, count, fields, fixed, rank, rankFrom, seed, times, trained, wide, checkRank } from "@weft/tensor-core/methods";
import { rounded, weightMatrix } from "./weight-matrix.js";

/** The config of a TinyLoRA adapter. */
export interface TinyLoraConfigFields {
  readonly r: number;
  /** Length of a trained vector. */
  readonly u: number;
  /** Share of the vectors that layers do without: 0 each layer has its own, 1 one for all. */
  readonly weightTying: number;
  readonly projectionSeed: number;
  /** The file holds the layers' projections. */
  readonly saveProjection: boolean;
  readonly initVBound: number;
  readonly initWeights: boolean | "uniform";
  readonly fanInFanOut: boolean;
  /** The vector that this layer takes; found out. */
  readonly group?: number;
}

const FIELDS = fields(
  "tinylora",
  ["dropout", "fan_in_fan_out", "bias"],
  {
    r: rank(2),
    u: count(64),
    weight_tying: { ...float(0), check: (v) => typeof v === "number" && v >= 0 && v <= 1, expected: "a number from 0 to 1" },
    projection_seed: seed(42),
    save_projection: boolean(true),
    init_v_bound: float(0.02),
    init_weights: oneOf<boolean | string>(true, [true, false, "uniform"]),
  },
  BY_LAYER,
);

/** PEFT's `TinyLoraConfig` (`peft_type` TINYLORA): its fields in camelCase, with PEFT's defaults, checked. @throws ConfigError naming the field */
export const TinyLoraConfig: ConfigClass<TinyLoraConfigFields> = configClass("TINYLORA", FIELDS);

/** Number of vectors, and the one that a layer takes by its number among the layers. */
function grouping({ weightTying }: TinyLoraConfigFields, layers: number): { readonly groups: number; of(index: number): number } {
  const exact = layers * (1 - weightTying);
  // Python rounds halves to even.
  const nearest = Math.abs(exact % 1) === 0.5 ? 2 * Math.round(exact / 2) : Math.round(exact);
  const groups = Math.max(1, nearest);
  const size = Math.max(1, Math.floor(layers / groups));
  return { groups, of: (index) => Math.min(Math.floor(index / size), groups - 1) };
}

const vector = (group: number): string => `tinylora_v.${group}`;

/** P [u, r, r] of the layer with this number: normal values with variance 1/r. */
function projection({ u, projectionSeed }: TinyLoraConfigFields, r: number, index: number): Float32Array {
  return torchNormal(torchGenerator(projectionSeed + index), u * r * r, 0, 1 / Math.sqrt(r));
}

/** Values that are compared to tell a layer by its projection, and how far bf16 may have moved one. */
const COMPARED = 64;
const BF16 = 2 ** -7;

/** Numbers of layers whose projection this is. */
async function indicesOf(config: TinyLoraConfigFields, P: Tensor, layers: number): Promise<number[]> {
  const values = await wide(P).data();
  const r = P.shape[1]!;
  const compared = Math.min(COMPARED, values.length);
  return Array.from({ length: layers }, (_, index) => index).filter((index) => {
    const drawn = projection(config, r, index);
    for (let i = 0; i < compared; i++) if (!(Math.abs(drawn[i]! - values[i]!) <= BF16 * Math.abs(values[i]!) + 1e-5)) return false;
    return true;
  });
}

/**
 * The layer's number in the order of the model's modules, by which PEFT deals out vectors and seeds. No file says it, but a projection in the file
 * does: its seed is `projection_seed` plus that number.
 */
async function layerIndex(
  config: TinyLoraConfigFields,
  P: Tensor | undefined,
  { path, index, count: layers }: LayerOrigin,
): Promise<number> {
  const found = P ? await indicesOf(config, P, layers) : [];
  if (found.length === 1) return found[0]!;
  if (index !== undefined && (found.length === 0 || found.includes(index))) return index;
  const why = P
    ? "its projection is none that follows from projection_seed"
    : "the file has no projections (save_projection), which would tell";
  throw new CapabilityError(
    `${path}: which of TinyLoRA's vectors it takes follows from the order of the model's modules; a checkpoint does not keep it, and ${why}`,
    {
      kind: "undetermined",
      tensor: path,
      hint: "load the adapter on a model (PeftModel), or save it with save_projection=True",
    },
  );
}

/** R [r, r] = Σ v_i·P_i. */
function mixture(params: Params, { group }: TinyLoraConfigFields): Tensor {
  const v = params[vector(group!)]!;
  const P = params.P!;
  return reshape(matmul(reshape(v, [1, -1]), reshape(P, [v.shape[0]!, -1])), P.shape.slice(1));
}

const isEmbedding = ({ kind }: LayerSpec): boolean => kind === "embedding";

const ADDITIVE = additive<TinyLoraConfigFields>({
  name: "TINYLORA",
  prefix: "tinylora_",
  fields: FIELDS,
  checkNew: checkRank,
  kinds: ["linear", "embedding"],
  configFromShapes: (config, layer, shapes) => ({
    ...rankFrom<TinyLoraConfigFields>("A")(config, layer, shapes),
    saveProjection: shapes.P !== undefined,
  }),
  parameters(config, size, layer) {
    const r = Math.min(config.r, size.in, size.out);
    const [rows, cols] = isEmbedding(layer) ? [size.in, size.out] : [size.out, size.in];
    return { A: fixed([r, cols]), B: fixed([rows, r]), ...(config.saveProjection && { P: fixed([config.u, r, r]) }) };
  },
  names: ["A", "B", "P"],
  shared: {
    parameters({ u, initVBound: bound, initWeights, ...config }, modules: readonly AdaptedModule[]) {
      const { groups } = grouping({ u, initVBound: bound, initWeights, ...config }, modules.length);
      const init = initWeights === "uniform" ? ({ kind: "uniform", bound } as const) : "zeros";
      return Object.fromEntries(Array.from({ length: groups }, (_, group) => [vector(group), trained([u], init)]));
    },
  },
  derived: {
    work: () => 0,
    async derive(config, layer, origin, loaded, isNew) {
      const { in: inputs, out } = featuresOf(layer);
      const r = isNew ? Math.min(config.r, inputs, out) : loaded.A!.shape[0]!;
      const index = await layerIndex(config, isNew ? undefined : loaded.P, origin);
      const drawn = (): Tensor => rounded(projection(config, r, index), [config.u, r, r], layer.dtype);
      return {
        config: { ...config, group: grouping(config, origin.count).of(index) },
        params: config.saveProjection ? {} : { P: drawn() },
        ...(isNew && { initial: { ...(await factorsOf(await origin.weight(), layer, r)), ...(config.saveProjection && { P: drawn() }) } }),
      };
    },
  },
  change: (params, config) => matmul(matmul(params.B!, mixture(params, config)), params.A!),
});

/** A [r, …] and B […, r] with the singular values half in each. */
async function factorsOf(weight: Tensor, layer: LayerSpec, r: number): Promise<Params> {
  const { u, s, vt } = truncatedSvd(await weightMatrix(weight, layer), r);
  const root = s.map(Math.sqrt);
  return {
    A: rounded(
      vt.data.map((x, i) => x * root[Math.floor(i / vt.cols)]!),
      [r, vt.cols],
      layer.dtype,
    ),
    B: rounded(
      u.data.map((x, i) => x * root[i % r]!),
      [u.rows, r],
      layer.dtype,
    ),
  };
}

/**
 * TinyLoRA (2026): ΔW = B·(Σ_i v_i·P_i)·A with a trained vector v [u] that layers may share, between frozen singular vectors A [r, in] and B [out, r] of W
 * (both with the root of the singular values), and random P [u, r, r] that are in the file or follow from a seed. An embedding's A is [r, dim], its B
 * [vocabulary, r]. Linear, Conv1D (fan_in_fan_out), Embedding.
 * @see peft `tuners/tinylora/layer.py`, `model.py`
 */
export const TINYLORA: AdapterMethod<TinyLoraConfigFields> = {
  ...ADDITIVE,
  forward(x, base, params, { layer, config, scale }, dropout) {
    const y = forwardBase(layer, base, x);
    const [A, B, R] = [wide(params.A!), wide(params.B!), times(mixture(params, config), scale)];
    if (isEmbedding(layer)) {
      const rows = gather(B, x, 0);
      return cast(add(y, matmul(matmul(dropout ? dropout(rows) : rows, R), A)), y.dtype);
    }
    return cast(add(y, linear(linear(linear(wide(dropout ? dropout(x) : x), A), R), B)), y.dtype);
  },
};
