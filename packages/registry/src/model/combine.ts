import { lowRankDelta } from "@weft/tensor-core/methods";
import {
  type AdapterContext,
  additiveDelta,
  type Attached,
  CapabilityError,
  ConfigError,
  type LowRankFactors,
  type MethodTable,
  type Params,
  readFields,
} from "@weft/tensor-core";
import { type CombinationType, combineDeltas, type CombineOptions, combineSources, type DeltaSource, type Source } from "@weft/convert";
import { type AdapterConfig, readAdapterConfig } from "@weft/adapter-files";
import type { AdapterState } from "./adapter-state.js";
import { asLoraState } from "./as-lora-state.js";
import { notAdditive } from "./not-additive.js";
import { WEIGHTED_SUM, type WeightedSumConfig } from "./weighted-sum.js";

/** What a LoRA's config says that combining looks at. */
interface LoraValues {
  readonly r: number;
  readonly useRslora: boolean;
}

/**
 * One adapter made of several of any additive methods, layer by layer; a layer that some lack is made of those that have it. Where all of them have an
 * exact form as LoRA (LoRA, LoHa, LoKr), or a rank is asked for, it is a LoRA, else a weighted sum, which no file holds.
 * @throws ConfigError if ranks or options do not fit; CapabilityError kind `not-combinable` for adapters that are more, or other, than a change that adds up
 * @see peft `tuners/lora/model.py` add_weighted_adapter, `utils/merge_utils.py`
 */
export async function combineAdapters(
  given: readonly AdapterState[],
  weights: readonly number[],
  methods: MethodTable,
  options: CombineOptions = {},
): Promise<AdapterState> {
  if (given.length === 0 || given.length !== weights.length)
    throw new ConfigError(`${given.length} adapters and ${weights.length} weights: expected equally many, at least one`);
  const why = given.map(notAdditive).find((reason) => reason !== undefined);
  if (why !== undefined)
    throw new CapabilityError(`${why}: it cannot be combined with others`, {
      kind: "not-combinable",
      hint: "merge them into the weights one after the other",
    });
  const { combinationType = "exact", rank } = options;
  const states = await Promise.all(given.map((state) => asLoraState(state, methods)));
  const loras = states.filter((state): state is AdapterState => typeof state !== "string" && isPlain(state));
  const placed = new Map(given.flatMap((state) => [...(state.placed ?? [])]));
  if (loras.length === given.length) return { ...(await combineLoras(loras, weights, options)), placed };
  if (combinationType === "exact" && rank === undefined) return { ...sumOf(given, weights), placed };
  return { ...(await compressed(given, weights, methods, options)), placed };
}

/** Whether an adapter is factors and nothing else. */
const isPlain = ({ layers }: AdapterState): boolean =>
  [...layers.values()].every(([first, more]) => more === undefined && first!.context.layer.kind !== "parameter" && factorsOf(first!));

const factorsOf = ({ method, params, context }: Attached): LowRankFactors | undefined =>
  method.factors?.(params, { ...context, scale: 1 } as AdapterContext<never>);

/** What `make` makes of the adapters that have a layer, for each layer that one has. */
function perLayer<T>(
  states: readonly AdapterState[],
  weights: readonly number[],
  make: (attached: Attached, weight: number, path: string) => T,
): Map<string, T[]> {
  const paths = new Set(states.flatMap(({ layers }) => [...layers.keys()]));
  const at = (path: string): T[] =>
    states.flatMap(({ layers }, i) => (layers.get(path) ?? []).map((attached) => make(attached, weights[i]!, path)));
  return new Map([...paths].map((path) => [path, at(path)]));
}

async function combineLoras(states: readonly AdapterState[], weights: readonly number[], options: CombineOptions): Promise<AdapterState> {
  const sources = perLayer(states, weights, (attached, weight): Source => {
    const { layer } = attached.context;
    const factors = factorsOf(attached)!;
    return { ...factors, weight, layer, delta: () => lowRankDelta(factors, layer) };
  });
  const ranks = states.map(({ config }) => (config.values as unknown as LoraValues).r);
  const { type, rank, factors } = await combineSources(sources, ranks, options);
  const [{ config, layers }] = states as [AdapterState];
  return loraState(config, [...layers.values()][0]![0]!.method, factors, sources, type, rank);
}

/** The sum as it is. */
function sumOf(states: readonly AdapterState[], weights: readonly number[]): AdapterState {
  const summands = perLayer(states, weights, ({ context, ...one }, weight): Attached => ({
    ...one,
    context: { ...context, scale: weight },
  }));
  const layers = [...summands].map(([path, all]): [string, readonly Attached[]] => {
    const config: WeightedSumConfig = { summands: all };
    return [
      path,
      [{ method: WEIGHTED_SUM, params: {}, context: { layer: all[0]!.context.layer, config, scale: 1 } } as unknown as Attached],
    ];
  });
  const config = { peftType: WEIGHTED_SUM.name, fields: WEIGHTED_SUM.fields, values: {}, unknown: new Map() };
  return { config, layers: new Map(layers), shared: {}, replaced: new Map(), expected: new Map() };
}

/** A LoRA of the sum's singular values. */
async function compressed(
  states: readonly AdapterState[],
  weights: readonly number[],
  methods: MethodTable,
  options: CombineOptions,
): Promise<AdapterState> {
  const lora = methods.get("LORA")?.method;
  if (!lora) throw new ConfigError("the sum becomes a LoRA, and LORA is not among the methods");
  const sources = perLayer(states, weights, ({ method, params, context }, weight, path): DeltaSource => {
    const whole = { ...context, scale: 1 };
    if (method.biasDelta?.(params, whole))
      throw new CapabilityError(`${path}: ${method.name} changes the bias, too, which the factors of a LoRA do not hold`, {
        kind: "not-combinable",
        hint: "leave the rank out: the exact sum has the bias",
      });
    return { weight, layer: context.layer, delta: () => additiveDelta(method, params, whole)! };
  });
  const { type, rank, factors } = await combineDeltas(sources, options);
  const config = readAdapterConfig({ peft_type: "LORA", r: rank, lora_alpha: rank }, { methods });
  return loraState(config, lora, factors, sources, type, rank);
}

function loraState(
  config: AdapterConfig,
  method: Attached["method"],
  made: ReadonlyMap<string, Params>,
  sources: ReadonlyMap<string, readonly DeltaSource[]>,
  type: CombinationType,
  rank: number,
): AdapterState {
  const old = config.values as unknown as LoraValues;
  const useRslora = type === "exact" ? false : old.useRslora;
  const ranks = new Map([...made].map(([path, { A }]) => [path, A!.shape[0]!]));
  // PEFT clears the patterns though layers may differ in rank, and cannot read the result again; here each rank is the true one.
  const rankPattern = Object.fromEntries(
    [...ranks].filter(([, r]) => r !== rank).map(([path, r]) => [`^${path.replaceAll(".", "\\.")}`, r]),
  );
  const values = {
    ...config.values,
    ...readFields(config.fields, {
      ...old,
      r: rank,
      loraAlpha: rank,
      useRslora,
      alphaPattern: rankPattern,
      rankPattern,
      initLoraWeights: true,
      targetModules: [...made.keys()],
    }),
  };
  const layers = new Map(
    [...made].map(([path, params]) => {
      const r = ranks.get(path)!;
      const own = { ...values, r, loraAlpha: r };
      return [
        path,
        [{ method, params, context: { layer: sources.get(path)![0]!.layer, config: own, scale: 1 } } as unknown as Attached],
      ] as const;
    }),
  );
  return { config: { ...config, values }, layers, shared: {}, replaced: new Map(), expected: new Map() };
}
