import type { WeightSource } from "@weft/io-safetensors";
import { type Extracted, extractDelta, type RankRule } from "@weft/registry";
import type { Device } from "@weft/tensor-core";
import type { Pair } from "./pairs.js";
import { readChange } from "./read-change.js";

/** What decides the factors of a pair. */
export interface ExtractSettings {
  readonly rule: RankRule;
  /** For kernels of more than one place; `rule` if not given. */
  readonly convRule?: RankRule;
  readonly maxRank?: number;
  readonly clamp?: number;
  readonly smallConv: boolean;
  readonly wholeFromHalf: boolean;
  /** Weights no element of which changed by more are left out. */
  readonly minChange: number;
}

/** What became of a pair: nothing changed, factors, or the change itself. */
export type PairResult =
  | { readonly kind: "unchanged" }
  | { readonly kind: "factors"; readonly extracted: Extracted }
  | { readonly kind: "whole"; readonly shape: readonly number[]; readonly values: Float32Array };

/** The factors of one weight's change. */
export async function extractPair(
  pair: Pair,
  sources: { readonly base: WeightSource; readonly tuned: WeightSource },
  { minChange, convRule, ...settings }: ExtractSettings,
  device: Device,
  signal?: AbortSignal,
): Promise<PairResult> {
  const { name, shape } = pair;
  const values = await readChange(sources.base, sources.tuned, name, signal);
  if (values.every((x) => Math.abs(x) <= minChange)) return { kind: "unchanged" };
  const kernel = shape.slice(2).reduce((a, b) => a * b, 1);
  const rule = kernel > 1 ? (convRule ?? settings.rule) : settings.rule;
  const extracted = await extractDelta(shape, values, { ...settings, rule, device });
  return extracted === "whole" ? { kind: "whole", shape, values } : { kind: "factors", extracted };
}
