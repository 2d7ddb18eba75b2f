import { type AdapterMethod, type LayerSpec, type MethodTable, WeftError } from "@weft/tensor-core";
import type { ConvertModule } from "../conversion/convert-module.js";

/** Options of PEFT's LoKr from which its shapes follow. */
export interface LokrOptions {
  readonly decompose_factor: number;
  readonly decompose_both: boolean;
}

/**
 * The options with which PEFT makes exactly the shapes that LoKr modules have: it factors weights by a rule, where the file's factors may have come
 * from another one.
 * @returns undefined if none does
 */
export function lokrFactor(modules: readonly ConvertModule[], methods: MethodTable): LokrOptions | undefined {
  const lokr = methods.get("LOKR")?.method;
  if (!lokr) return undefined;
  const both = modules.some(({ parameters }) => parameters.has("lokr_w1_a"));
  const candidates = new Set([
    -1,
    ...modules.flatMap(({ parameters }) => (parameters.get("lokr_w1") ?? parameters.get("lokr_w1_a")!).shape.slice(0, 1)),
  ]);
  for (const { parameters } of modules)
    for (const t of parameters.values()) for (const d of t.shape) if (d <= MAX_FACTOR) candidates.add(d);
  for (const decompose_factor of candidates)
    for (const decompose_both of both ? [true] : [false, true])
      if (modules.every((module) => matches(lokr, module, { decompose_factor, decompose_both })))
        return { decompose_factor, decompose_both };
  return undefined;
}

/** Factors in use are 4, 8, 16; larger sides of a factorisation are found by the smaller ones. */
const MAX_FACTOR = 64;

function matches(
  lokr: AdapterMethod<never>,
  { parameters, rank, weightShape }: ConvertModule,
  { decompose_factor, decompose_both }: LokrOptions,
): boolean {
  const shape = (name: string): readonly number[] | undefined => parameters.get(name)?.shape;
  const [out1, in1] = [(shape("lokr_w1") ?? shape("lokr_w1_a"))![0]!, shape("lokr_w1")?.[1] ?? shape("lokr_w1_b")![1]!];
  const [whole, core] = [shape("lokr_w2"), shape("lokr_t2")];
  const out2 = whole ? whole[0]! : core ? shape("lokr_w2_a")![1]! : shape("lokr_w2_a")![0]!;
  const in2 = whole ? whole[1]! : shape("lokr_w2_b")![1]!;
  const kernel = whole ? whole.slice(2) : core ? core.slice(2) : [];
  const weight = weightShape ?? [out1 * out2, in1 * in2, ...kernel];
  const conv =
    weight.length > 2
      ? { kind: "conv2d" as const, conv: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } }
      : { kind: "linear" as const };
  const config = {
    r: rank!,
    alpha: 1,
    decomposeFactor: decompose_factor,
    decomposeBoth: decompose_both,
    useEffectiveConv2d: core !== undefined,
    rankDropout: 0,
    moduleDropout: 0,
    initWeights: true,
  };
  try {
    const layer: LayerSpec = { ...conv, shape: weight, dtype: "f32", bias: false };
    const keys = lokr.keys(layer);
    const specs = lokr.parameters(config as never, layer);
    const wanted = Object.entries(specs).map(([name, spec]) => [keys[name]![0]!, spec.shape] as const);
    return wanted.length === parameters.size && wanted.every(([name, s]) => shape(name)?.join() === s.join());
  } catch (error) {
    if (error instanceof WeftError) return false;
    throw error;
  }
}
