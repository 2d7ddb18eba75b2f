import { type DType, type LayerSpec, sizeOf } from "@weft/tensor-core";

/** Unit roundoff of f32, in which sums are taken, and of what results are stored in: half the distance of neighbouring values at 1. */
const ROUNDOFF: Readonly<Partial<Record<DType, number>>> = { f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Standard deviations that a sum of roundings may lie off: by Higham and Mary's bound it is further off once in 1500 elements at worst, in truth far more rarely. */
const DEVIATIONS = 4;

/** Sums on the way through a layer: with its weight, and with the two factors of an adapter. */
const SUMS_PER_LAYER = 3;

/** What a comparison depends on. */
export interface Computation {
  /** What results are stored in. */
  readonly dtype: DType;
  /** Products in the longest sum. */
  readonly length: number;
  /** Sums one after the other, each over results of the one before. */
  readonly stages: number;
}

/**
 * How far two right computations of a result may be apart, as a share of its largest element (of 1, if that is smaller).
 *
 * Both compute the same sums in f32, in orders of their own. Each of the N = length·stages additions on the way to an element rounds by at most
 * u = 2⁻²⁴ of the sum so far, in a direction that is as good as random: together by λ·√N·u, λ = 4 (Higham and Mary, A New Approach to Probabilistic
 * Rounding Error Analysis, 2019, theorem 2.8, where the worst case would be N·u). The two may be off in opposite directions: 2·λ·√N·u. A result that is stored
 * in fewer bits is rounded once more by each, by at most the dtype's u: where they round to different sides they are neighbours, 2·u apart.
 * bf16: 2·2⁻⁸ = 7.8e-3; f16: 9.8e-4; f32, whose rounding the sum has already: nothing.
 */
export function toleranceOf({ dtype, length, stages }: Computation): number {
  const sums = 2 * DEVIATIONS * Math.sqrt(length * stages) * ROUNDOFF.f32!;
  return dtype === "f32" ? sums : 2 * ROUNDOFF[dtype]! + sums;
}

/** Products in each sum of a layer. */
function lengthOf({ kind, shape, transposed }: LayerSpec): number {
  if (kind === "embedding") return 1;
  const outputs = transposed || kind === "parameter" ? shape.at(-1)! : shape[0]!;
  return kind === "norm" ? outputs : sizeOf(shape) / outputs;
}

/** What running layers one after the other with an adapter depends on. */
export function computationOf(layers: Iterable<{ readonly layer: LayerSpec }>, dtype: DType = "f32"): Computation {
  const known = [...layers].filter(({ layer }) => layer.kind !== "attention" && layer.kind !== "block");
  return { dtype, length: Math.max(...known.map(({ layer }) => lengthOf(layer))), stages: SUMS_PER_LAYER * known.length };
}
