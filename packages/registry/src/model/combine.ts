import { lowRankDelta } from "@weft/tensor-core/methods";
import {
  type AdapterContext,
  type Attached,
  CapabilityError,
  ConfigError,
  type LowRankFactors,
  type MethodTable,
  type Params,
  readFields,
} from "@weft/tensor-core";
import { type CombinationType, type CombineOptions, combineSources, type Source } from "@weft/convert";
import type { AdapterState } from "./adapter-state.js";
import { asLoraState } from "./as-lora-state.js";

/** What a LoRA's config says that combining looks at. */
interface LoraValues {
  readonly r: number;
  readonly useRslora: boolean;
  readonly useDora: boolean;
  readonly loraBias: boolean;
  readonly targetParameters: readonly string[] | null;
}

/**
 * One LoRA made of several adapters, LoRAs or what has an exact form as one (LoHa, LoKr), layer by layer; a layer that some lack is made of those that have it.
 * @throws ConfigError if ranks or options do not fit; CapabilityError for adapters that are no plain LoRA
 * @see peft `tuners/lora/model.py` add_weighted_adapter, `utils/merge_utils.py`
 */
export async function combineAdapters(
  given: readonly AdapterState[],
  weights: readonly number[],
  methods: MethodTable,
  options: CombineOptions = {},
): Promise<AdapterState> {
  const states = await Promise.all(given.map((state) => asLora(state, methods)));
  const [first] = states;
  if (!first || states.length !== weights.length)
    throw new ConfigError(`${states.length} adapters and ${weights.length} weights: expected equally many, at least one`);
  states.forEach(assertPlain);
  const paths = [...new Set(states.flatMap(({ layers }) => [...layers.keys()]))];
  const perLayer = new Map(paths.map((path) => [path, sourcesAt(path, states, weights)]));
  const ranks = states.map(({ config }) => (config.values as unknown as LoraValues).r);
  const { type, rank, factors } = await combineSources(perLayer, ranks, options);
  const placed = new Map(states.flatMap((state) => [...(state.placed ?? [])]));
  return { ...stateOf(first, factors, perLayer, type, rank), placed };
}

async function asLora(state: AdapterState, methods: MethodTable): Promise<AdapterState> {
  const lora = await asLoraState(state, methods);
  if (typeof lora !== "string") return lora;
  throw new CapabilityError(lora, { kind: "not-combinable", hint: "merge them into the weights one after the other" });
}

function assertPlain({ config, layers, replaced, expected }: AdapterState): void {
  const values = config.values as unknown as LoraValues;
  const method = [...layers.values()][0]?.[0]?.method;
  const special = values.useDora
    ? "DoRA"
    : values.loraBias
      ? "lora_bias"
      : values.targetParameters
        ? "target_parameters"
        : replaced.size > 0
          ? "modules_to_save or trained biases"
          : undefined;
  const form = method?.special?.(values as never);
  if (form?.plain === false) throw new CapabilityError(`${form.why}: it cannot be combined with others`);
  if (special || expected.size > 0 || [...layers.values()].some(([first, more]) => more !== undefined || !factorsOf(first!)))
    throw new CapabilityError(`a LoRA with ${special ?? "trained tokens or a base of its own"} cannot be combined with others`);
}

const factorsOf = ({ method, params, context }: Attached): LowRankFactors | undefined =>
  method.factors?.(params, { ...context, scale: 1 } as AdapterContext<never>);

function sourcesAt(path: string, states: readonly AdapterState[], weights: readonly number[]): Source[] {
  return states.flatMap(({ layers }, i) => {
    const found = layers.get(path)?.[0];
    if (!found) return [];
    const { layer } = found.context;
    const factors = factorsOf(found)!;
    return [{ ...factors, weight: weights[i]!, layer, delta: () => lowRankDelta(factors, layer) }];
  });
}

function stateOf(
  source: AdapterState,
  made: ReadonlyMap<string, Params>,
  perLayer: ReadonlyMap<string, readonly Source[]>,
  type: CombinationType,
  rank: number,
): AdapterState {
  const old = source.config.values as unknown as LoraValues;
  const useRslora = type === "exact" ? false : old.useRslora;
  const { method } = [...source.layers.values()][0]![0]!;
  const ranks = new Map([...made].map(([path, { A }]) => [path, A!.shape[0]!]));
  // PEFT clears the patterns though layers may differ in rank, and cannot read the result again; here each rank is the true one.
  const rankPattern = Object.fromEntries(
    [...ranks].filter(([, r]) => r !== rank).map(([path, r]) => [`^${path.replaceAll(".", "\\.")}`, r]),
  );
  const values = {
    ...source.config.values,
    ...readFields(source.config.fields, {
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
      const config = { ...values, r, loraAlpha: r };
      return [
        path,
        [{ method, params, context: { layer: perLayer.get(path)![0]!.layer, config, scale: 1 } } as unknown as Attached],
      ] as const;
    }),
  );
  return { config: { ...source.config, values }, layers, shared: {}, replaced: new Map(), expected: new Map() };
}
