import {
  CapabilityError,
  concat,
  ConfigError,
  isConv,
  type LayerSpec,
  mul,
  type Params,
  reshape,
  sizeOf,
  swapLast,
  type Tensor,
  tensor,
  type TorchGenerator,
  torchGenerator,
  torchUniform,
} from "@weft/tensor-core";
import { lowRankSvd, type Matrix, matrix, torchSvd, truncatedSvd } from "@weft/tensor-core/linalg";
import { clampFactors } from "./clamp-factors.js";
import type { CombinationType } from "./combination-type.js";
import { factorsOf } from "./factors.js";
import { combineTasks, type TaskOptions, type TaskRule } from "./task-arithmetic.js";

/** How adapters become one, and of which rank. */
export interface CombineOptions {
  /** `exact` if not given. */
  readonly combinationType?: CombinationType;
  /** Rank of the result for `exact` and the `svd` types; the sum of ranks, or the largest. */
  readonly rank?: number;
  /** Share of the entries that pruning keeps, for `ties`, `dare_*` and `magnitude_prune`. */
  readonly density?: number;
  /** How `ties` elects signs: by the sum of values, or of signs. */
  readonly majoritySignMethod?: "total" | "frequency";
  /**
   * Clamps both factors of an `svd` type to ± this quantile of their values, which depends on the signs of the singular vectors: those of torch
   * up to 1024 rows or columns, whichever are fewer; beyond, and where torch's own are by chance (see `torchSvd`), another quantile may come out.
   */
  readonly svdClamp?: number;
  /** Seed of DARE's random masks. */
  readonly seed?: number;
  /** DARE's masks instead of random ones, in the order of layers, A before B, adapters: 1 keeps. */
  readonly masks?: readonly Tensor[];
}

/** What one of the adapters that are combined changes in a layer. */
export interface DeltaSource {
  readonly weight: number;
  readonly layer: LayerSpec;
  /** ΔW in the shape of the layer's weight. */
  readonly delta: () => Tensor;
}

/** The same of a plain LoRA: its ΔW is scale·B·A. */
export interface Source extends DeltaSource {
  readonly A: Tensor;
  readonly B: Tensor;
  /** alpha/r, or alpha/√r. */
  readonly scale: number;
}

/** Factors of all layers. */
export interface Combined {
  readonly type: CombinationType;
  /** Rank of most of them. */
  readonly rank: number;
  readonly factors: ReadonlyMap<string, Params>;
}

const RULES: { readonly [type: string]: TaskRule } = {
  linear: "linear",
  svd: "linear",
  ties: "ties",
  dare_linear: "dare_linear",
  dare_ties: "dare_ties",
  magnitude_prune: "magnitude_prune",
};

/**
 * One LoRA made of several, layer by layer; a layer that some lack is made of those that have it.
 * @param layers by path; @param ranks of the adapters
 * @throws ConfigError if ranks or options do not fit
 * @see peft `tuners/lora/model.py` add_weighted_adapter, `utils/merge_utils.py`
 */
export async function combineSources(
  layers: ReadonlyMap<string, readonly Source[]>,
  ranks: readonly number[],
  options: CombineOptions = {},
): Promise<Combined> {
  const { combinationType = "exact" } = options;
  // PEFT: one adapter alone is always scaled linearly.
  const type = ranks.length === 1 && combinationType !== "exact" ? "linear" : combinationType;
  assertDensity(type, options);
  const rank = rankOf(type, ranks, options);
  const masks = maskSource(options);
  const factors = new Map<string, Params>();
  for (const [path, sources] of layers) factors.set(path, await combineLayer(type, sources, rank, options, masks));
  return { type, rank, factors };
}

/**
 * One LoRA made of changes of any form, layer by layer, by the singular values of what an `svd` type, or the plain sum, makes of them.
 * @throws ConfigError for types that combine factors, and without a rank
 */
export async function combineDeltas(layers: ReadonlyMap<string, readonly DeltaSource[]>, options: CombineOptions): Promise<Combined> {
  const { combinationType = "exact", rank } = options;
  const type = combinationType === "exact" ? "svd" : combinationType;
  if (!type.endsWith("svd"))
    throw new ConfigError(`${type} combines factors, which not all of the adapters have`, { hint: "use exact or an svd type" });
  if (rank === undefined)
    throw new ConfigError(`${type} needs the rank of the result, as not all of the adapters have one`, { hint: "give rank" });
  assertDensity(type, options);
  const masks = maskSource(options);
  const factors = new Map<string, Params>();
  for (const [path, sources] of layers) factors.set(path, await decomposeSum(type, sources, rank, options, masks));
  return { type, rank, factors };
}

function assertDensity(type: CombinationType, { density }: CombineOptions): void {
  if (/ties|dare|magnitude/.test(type) && (density === undefined || !(density >= 0)))
    throw new ConfigError(`${type} needs a density of at least 0, got ${density}`);
}

function rankOf(type: CombinationType, ranks: readonly number[], { rank }: CombineOptions): number {
  const sum = ranks.reduce((a, b) => a + b, 0);
  if (type === "exact") return rank ?? sum;
  if (type === "cat") return sum;
  if (type.endsWith("svd")) return rank ?? Math.max(...ranks);
  if (new Set(ranks).size > 1)
    throw new ConfigError(`${type} adds the factors, which needs equal ranks, got ${ranks.join(", ")}`, {
      hint: "use exact, cat or an svd type",
    });
  return ranks[0]!;
}

function maskSource({ masks, seed = 0 }: CombineOptions): (shape: readonly number[], density: number) => Tensor {
  if (masks) {
    let next = 0;
    return () => masks[next++]!;
  }
  const generator: TorchGenerator = torchGenerator(seed);
  return (shape, density) => {
    const draws = torchUniform(generator, sizeOf(shape));
    return tensor(
      draws.map((u) => (u < density ? 1 : 0)),
      { shape },
    );
  };
}

async function combineLayer(
  type: CombinationType,
  sources: readonly Source[],
  rank: number,
  options: CombineOptions,
  mask: TaskOptions["mask"],
): Promise<Params> {
  if (type === "exact" || type === "cat") {
    const { A, B } = sideBySide(sources);
    return type === "exact" && rank < A.shape[0]! ? compress(A, B, rank) : { A, B };
  }
  // A plain sum has low rank: the same result as by forming it. PEFT's clamp depends on the signs of singular vectors, so on how they are found.
  if (type === "svd" && options.svdClamp === undefined) {
    const { A, B } = sideBySide(sources);
    return compress(A, B, rank);
  }
  if (type.endsWith("svd")) return decomposeSum(type, sources, rank, options, mask);
  const { rule, task } = taskOf(type, options, mask);
  // The root of weight and scale on either side, the sign on A's.
  const roots = sources.map((s) => Math.sqrt(Math.abs(s.weight * s.scale)));
  const signed = sources.map((s, i) => (s.weight * s.scale < 0 ? -roots[i]! : roots[i]!));
  return {
    A: await combineTasks(
      rule,
      sources.map((s) => s.A),
      signed,
      task,
    ),
    B: await combineTasks(
      rule,
      sources.map((s) => s.B),
      roots,
      task,
    ),
  };
}

/** The rule by which a type adds up, and what it needs to know. */
function taskOf(
  type: CombinationType,
  { density = 1, majoritySignMethod = "total" }: CombineOptions,
  mask: TaskOptions["mask"],
): { readonly rule: TaskRule; readonly task: TaskOptions } {
  return { rule: RULES[type.replace(/_svd$/, "")]!, task: { density, majoritySignMethod, mask } };
}

/** The factors of what a type makes of ΔWs. */
async function decomposeSum(
  type: CombinationType,
  sources: readonly DeltaSource[],
  rank: number,
  options: CombineOptions,
  mask: TaskOptions["mask"],
): Promise<Params> {
  const { rule, task } = taskOf(type, options, mask);
  const deltas = sources.map((s) => s.delta());
  const total = await combineTasks(
    rule,
    deltas,
    sources.map((s) => s.weight),
    task,
  );
  return decompose(total, sources[0]!.layer, rank, options.svdClamp);
}

/** The weighted sum as factors of all ranks together, scaled on A's side. */
function sideBySide(sources: readonly Source[]): { readonly A: Tensor; readonly B: Tensor } {
  const A = concat(sources.map((s) => mul(s.A, s.weight * s.scale)));
  const B = concat(
    sources.map((s) => s.B),
    1,
  );
  return { A, B };
}

/** B·A at another rank, the best there is. Factors of a convolution keep their kernels. */
async function compress(A: Tensor, B: Tensor, rank: number): Promise<Params> {
  const { up, down, out } = factorsOf(lowRankSvd(await hostMatrix(B), await hostMatrix(A)), rank);
  return { A: tensor(down, { shape: [rank, ...A.shape.slice(1)] }), B: tensor(up, { shape: [out, rank, ...B.shape.slice(2)] }) };
}

async function hostMatrix(t: Tensor): Promise<Matrix> {
  return matrix(t.shape[0]!, t.size / t.shape[0]!, await t.data());
}

/** Largest short side of a ΔW that is decomposed with torch's signs, which takes the whole of its SVD: at 1024 about 10 seconds. */
const SIGNED_SVD_LIMIT = 1024;

/** A and B of a ΔW: B = U·S, A = Vᵀ. @see kohya-ss `networks/svd_merge_lora.py` */
async function decompose(delta: Tensor, layer: LayerSpec, rank: number, clamp: number | undefined): Promise<Params> {
  const turned = layer.kind === "embedding" || layer.transposed;
  if (isConv(layer) && layer.kind !== "conv2d")
    throw new CapabilityError(`${layer.kind}: combining by svd is defined for linear, embedding and conv2d layers`);
  const flat = isConv(layer) ? reshape(delta, [layer.shape[0]!, -1]) : turned ? swapLast(delta) : delta;
  const whole = await hostMatrix(flat);
  // The quantile is of signed values, so that it depends on the signs that torch gives the singular vectors.
  const signed = clamp !== undefined && Math.min(whole.rows, whole.cols) <= SIGNED_SVD_LIMIT;
  const { up: B, down: A, out, inputs } = factorsOf((signed ? torchSvd : truncatedSvd)(whole, rank), rank);
  if (clamp !== undefined) clampFactors(clamp, B, A);
  const kernel = isConv(layer) ? layer.shape.slice(1) : [inputs];
  return { A: tensor(A, { shape: [rank, ...kernel] }), B: tensor(B, { shape: [out, rank, ...kernel.slice(1).map(() => 1)] }) };
}
