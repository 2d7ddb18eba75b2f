import { ConfigError } from "@weft/tensor-core";

/**
 * How many singular values an extraction keeps.
 * - `fixed`: so many
 * - `threshold` t: those with σ > t
 * - `ratio` t: those with σ > t·σ₁
 * - `quantile` q: those up to which Σσ stays below q·Σσ (so the sum that is kept is just less than the share)
 * - `energy` q: the fewest with Σσ² ≥ q·‖ΔW‖²
 *
 * The first four are LyCORIS's, to the letter. @see LyCORIS `lycoris/utils/__init__.py` extract_linear, extract_conv
 */
export interface RankRule {
  readonly kind: "fixed" | "threshold" | "ratio" | "quantile" | "energy";
  readonly value: number;
}

/** What is known of a matrix's singular values. */
export interface Spectrum {
  /** The largest ones, descending; perhaps not all. */
  readonly values: ArrayLike<number>;
  readonly all: boolean;
  /** Σσ², which is the squared Frobenius norm. */
  readonly squares: number;
  /** Σσ; the sum of `values` if those are all. */
  readonly sum?: number;
}

/** @throws ConfigError for a value that the rule cannot have */
export function checkRankRule({ kind, value }: RankRule): void {
  const wrong = (expected: string): ConfigError => new ConfigError(`rank rule ${kind}: expected ${expected}, got ${value}`);
  if (kind === "fixed" ? !Number.isInteger(value) || value < 1 : false) throw wrong("a whole number from 1 up");
  if (kind === "threshold" && !(value >= 0 && Number.isFinite(value))) throw wrong("a number from 0 up");
  if (kind !== "fixed" && kind !== "threshold" && !(value >= 0 && value <= 1)) throw wrong("a share from 0 to 1");
}

/**
 * How many of the values the rule keeps, before it is bounded by 1 and by what the matrix can have.
 * @returns undefined if that depends on values that are not known
 */
export function countKept({ kind, value }: RankRule, { values, all, squares, sum }: Spectrum): number | undefined {
  if (kind === "fixed") return value;
  const n = values.length;
  if (n === 0) return 0;
  const limit = kind === "threshold" ? value : kind === "ratio" ? value * values[0]! : 0;
  const total = sum ?? Array.from(values).reduce((a, b) => a + b, 0);
  let reached = 0;
  for (let i = 0; i < n; i++) {
    const s = values[i]!;
    if (kind === "threshold" || kind === "ratio") {
      if (!(s > limit)) return i;
    } else if (kind === "quantile") {
      if (!((reached += s) < value * total)) return i;
    } else if ((reached += s * s) >= value * squares) return i + 1;
  }
  return all ? n : undefined;
}
