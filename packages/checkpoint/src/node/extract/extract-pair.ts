import { type Extracted, extractDelta, type RankRule } from "@weft/convert";
import type { Device } from "@weft/tensor-core";
import type { Pair } from "./pairs.js";
import type { ChangeReader } from "./read-change.js";

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
  changes: ChangeReader,
  { minChange, convRule, ...settings }: ExtractSettings,
  device: Device,
): Promise<PairResult> {
  const { name, shape } = pair;
  const change = await changes.read(name, device, minChange);
  if (!change) return { kind: "unchanged" };
  try {
    const kernel = shape.slice(2).reduce((a, b) => a * b, 1);
    const rule = kernel > 1 ? (convRule ?? settings.rule) : settings.rule;
    const extracted = await extractDelta(shape, change, { ...settings, rule });
    if (extracted !== "whole") return { kind: "factors", extracted };
    return { kind: "whole", shape, values: Float32Array.from(await change.data()) };
  } finally {
    change.dispose();
  }
}
