import type { Place } from "../data-error.js";
import { type Encoded, type EncodeWarning, trainedCount } from "../encode/encoded.js";

/** Places that are kept of examples with something to look at. */
const KEPT_PLACES = 10;

/** What a model would learn from a whole set of data. */
export interface Coverage {
  readonly examples: number;
  readonly tokens: number;
  readonly trained: number;
  /** `trained` / `tokens`; 0 of nothing. */
  readonly share: number;
  /** Examples of which nothing is trained on, and where the first stand. */
  readonly untrained: { readonly count: number; readonly places: readonly Place[] };
  /** Examples whose end token is trained on, is not, and of which nothing says what ends them. */
  readonly end: { readonly trained: number; readonly untrained: number; readonly unknown: number };
  /** Examples that were cut, tokens cut off, and where the first stand. */
  readonly truncated: { readonly count: number; readonly tokens: number; readonly places: readonly Place[] };
  /** Tokens of examples before they were cut: of the shortest, the middle, of 90, 95 and 99 of 100, the longest. */
  readonly lengths: {
    readonly min: number;
    readonly median: number;
    readonly p90: number;
    readonly p95: number;
    readonly p99: number;
    readonly max: number;
  };
  /** How many examples warn of what. */
  readonly warnings: Readonly<Partial<Record<EncodeWarning["kind"], number>>>;
}

/** Counts what examples hold as they come. */
export class CoverageCounter {
  readonly #lengths: number[] = [];
  readonly #warnings = new Map<EncodeWarning["kind"], number>();
  readonly #untrained: Place[] = [];
  readonly #truncated: Place[] = [];
  #tokens = 0;
  #trained = 0;
  #untrainedCount = 0;
  #truncatedCount = 0;
  #cut = 0;
  #ends = { trained: 0, untrained: 0, unknown: 0 };

  add(encoded: Encoded): void {
    const { ids, cut, endTrained, warnings, place } = encoded;
    const trained = trainedCount(encoded);
    const cutTokens = cut.front.length + cut.back.length;
    this.#lengths.push(ids.length + cutTokens);
    this.#tokens += ids.length;
    this.#trained += trained;
    if (trained === 0 && this.#untrainedCount++ < KEPT_PLACES) this.#untrained.push(place);
    if (cutTokens > 0 && this.#truncatedCount++ < KEPT_PLACES) this.#truncated.push(place);
    this.#cut += cutTokens;
    this.#ends[endTrained === undefined ? "unknown" : endTrained ? "trained" : "untrained"]++;
    for (const kind of new Set(warnings.map((one) => one.kind))) this.#warnings.set(kind, (this.#warnings.get(kind) ?? 0) + 1);
  }

  coverage(): Coverage {
    const sorted = Float64Array.from(this.#lengths).sort();
    /** The smallest length that so many of 100 do not exceed. */
    const percentile = (p: number): number => sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)] ?? 0;
    return {
      examples: sorted.length,
      tokens: this.#tokens,
      trained: this.#trained,
      share: this.#tokens === 0 ? 0 : this.#trained / this.#tokens,
      untrained: { count: this.#untrainedCount, places: [...this.#untrained] },
      end: { ...this.#ends },
      truncated: { count: this.#truncatedCount, tokens: this.#cut, places: [...this.#truncated] },
      lengths: {
        min: percentile(0),
        median: percentile(50),
        p90: percentile(90),
        p95: percentile(95),
        p99: percentile(99),
        max: percentile(100),
      },
      warnings: Object.fromEntries(this.#warnings),
    };
  }
}

/** What a model would learn from examples. */
export function coverageOf(examples: Iterable<Encoded>): Coverage {
  const counter = new CoverageCounter();
  for (const example of examples) counter.add(example);
  return counter.coverage();
}
