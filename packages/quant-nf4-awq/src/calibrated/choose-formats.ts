import { ConfigError, type Device, type MatrixShape } from "@weft/tensor-core";
import { bytesPer, quantize, type QuantFormat } from "../quant-format.js";
import { dequantize } from "../requantize.js";
import { type InputStatistics, resultError } from "./input-statistics.js";

/** What a way to store a layer costs. */
export interface Cost {
  readonly bytes: number;
  /** Of formats of one layer the smaller is better, and those of several layers are added. */
  readonly error: number;
}

/** A format that a layer could be stored in. */
export interface FormatChoice extends Cost {
  readonly format: QuantFormat;
}

/** What a layer can be stored in. */
export interface LayerChoices<C extends Cost = FormatChoice> {
  readonly path: string;
  readonly choices: readonly C[];
}

/** A format for every layer. */
export interface ChosenFormats<C extends Cost = FormatChoice> {
  readonly formats: ReadonlyMap<string, C>;
  /** Of all layers together. */
  readonly bytes: number;
  readonly error: number;
}

/**
 * What storing a weight in some formats costs: with statistics of its inputs Σ ‖x·(Ŵ - W)ᵀ‖² / Σ ‖x·Wᵀ‖² over the tokens, without ‖Ŵ - W‖² / ‖W‖².
 * @param weight f32 [out, in], row-major
 * @throws as `quantize`, for formats that do not hold it
 */
export async function measureFormats(
  weight: Float32Array,
  shape: MatrixShape,
  formats: readonly QuantFormat[],
  { inputs, device }: { readonly inputs?: InputStatistics; readonly device?: Device } = {},
): Promise<FormatChoice[]> {
  const size = (values: Float32Array): number =>
    inputs ? resultError(values, shape[0], inputs) : values.reduce((sum, v) => sum + v * v, 0);
  const whole = size(weight);
  const measured: FormatChoice[] = [];
  for (const format of formats) {
    const stored = await dequantize(quantize(weight, shape, format), device);
    const lost = size(stored.map((v, i) => v - weight[i]!));
    measured.push({ format, bytes: bytesPer(format, shape), error: lost === 0 ? 0 : lost / whole });
  }
  return measured;
}

/** Choices of which each takes more bytes than the one before and loses less. */
function worthwhile<C extends Cost>(choices: readonly C[]): C[] {
  const kept: C[] = [];
  for (const one of [...choices].sort((a, b) => a.bytes - b.bytes || a.error - b.error))
    if (kept.length === 0 || one.error < kept.at(-1)!.error) kept.push(one);
  return kept;
}

/** Steps from a choice to a larger one along the lower convex hull of a layer's choices, the one that saves most for a byte first. */
interface Step {
  readonly layer: number;
  readonly to: Cost;
  readonly bytes: number;
  readonly perByte: number;
}

function hullSteps(choices: readonly Cost[], layer: number): Step[] {
  const steps: Step[] = [];
  for (let at = 0; at + 1 < choices.length;) {
    const from = choices[at]!;
    let [next, best] = [at + 1, -Infinity];
    for (let to = at + 1; to < choices.length; to++) {
      const perByte = (from.error - choices[to]!.error) / (choices[to]!.bytes - from.bytes);
      if (perByte >= best) [next, best] = [to, perByte];
    }
    steps.push({ layer, to: choices[next]!, bytes: choices[next]!.bytes - from.bytes, perByte: best });
    at = next;
  }
  return steps;
}

/** Some of the layers with a format each; the last of them and what came before. */
interface Part<C> {
  readonly bytes: number;
  readonly error: number;
  readonly choice?: C;
  readonly before?: Part<C>;
}

/**
 * The formats with the smallest sum of errors whose bytes are within a budget: argmin Σ error[layer, choice] with Σ bytes[layer, choice] ≤ budget, exactly. Of several with the same
 * error, the one with the fewest bytes.
 *
 * Layers are taken one by one, and of all ways to store those so far only these are kept: no other is as small and as good, and its error plus the least that the others can
 * have, by the relaxation with a price λ for a byte, Σ min(error + λ·bytes) - λ·(what is left), is not above that of a solution that is already known.
 * @throws ConfigError if a layer has no choice, or the smallest of all do not fit
 */
export function chooseFormats<C extends Cost>(layers: readonly LayerChoices<C>[], budget: number): ChosenFormats<C> {
  const choices = layers.map(({ choices: all }) => worthwhile(all));
  const none = choices.findIndex((all) => all.length === 0);
  if (none >= 0) throw new ConfigError(`chooseFormats: ${layers[none]!.path} has no choice`, { tensor: layers[none]!.path });
  const least = choices.reduce((sum, [smallest]) => sum + smallest!.bytes, 0);
  if (least > budget)
    throw new ConfigError(`chooseFormats: the budget is ${budget} bytes, and the smallest formats take ${least}`, {
      hint: "give more bytes, or smaller formats",
    });

  // Greedy along the hulls: a solution, and the price of a byte where it comes to the end of the budget.
  const steps = choices.flatMap(hullSteps).sort((a, b) => b.perByte - a.perByte || a.layer - b.layer || a.to.bytes - b.to.bytes);
  const greedy: Cost[] = choices.map(([smallest]) => smallest!);
  let left = budget - least;
  let price = 0;
  const stuck = new Set<number>();
  for (const { layer, to, bytes, perByte } of steps) {
    if (bytes > left) {
      price ||= perByte;
      stuck.add(layer);
    }
    if (stuck.has(layer)) continue;
    greedy[layer] = to;
    left -= bytes;
  }
  // Sums in another order may differ in their last bits.
  const enough = greedy.reduce((sum, { error }) => sum + error, 0) * (1 + 1e-9);

  const smallestFrom = new Float64Array(layers.length + 1);
  const relaxedFrom = new Float64Array(layers.length + 1);
  for (let i = layers.length - 1; i >= 0; i--) {
    smallestFrom[i] = smallestFrom[i + 1]! + choices[i]![0]!.bytes;
    relaxedFrom[i] = relaxedFrom[i + 1]! + Math.min(...choices[i]!.map(({ error, bytes }) => error + price * bytes));
  }
  let parts: Part<C>[] = [{ bytes: 0, error: 0 }];
  for (const [i, all] of choices.entries()) {
    const next: Part<C>[] = [];
    for (const before of parts)
      for (const choice of all) {
        const bytes = before.bytes + choice.bytes;
        const error = before.error + choice.error;
        if (bytes + smallestFrom[i + 1]! > budget) break;
        if (error + relaxedFrom[i + 1]! - price * (budget - bytes) <= enough) next.push({ bytes, error, choice, before });
      }
    next.sort((a, b) => a.bytes - b.bytes || a.error - b.error);
    let lowest = Infinity;
    parts = next.filter(({ error }) => error < lowest && ((lowest = error), true));
  }
  const best = parts.at(-1)!;
  const formats: [string, C][] = [];
  for (let part: Part<C> | undefined = best, i = layers.length - 1; part?.choice; part = part.before, i--)
    formats.unshift([layers[i]!.path, part.choice]);
  return { formats: new Map(formats), bytes: best.bytes, error: best.error };
}
