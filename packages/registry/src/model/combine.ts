import { LORA, LORA_FIELDS, type LoraConfigFields, loraScaling, loraVariant } from "@weft/adapters-lora";
import { type Attached, CapabilityError, ConfigError, type LayerSpec, type Params, readFields, type Tensor } from "@weft/tensor-core";
import type { CombinationType } from "@weft/convert";
import { combineSources, type CombineOptions, type Source } from "@weft/convert";
import type { AdapterState } from "./adapter-state.js";
import { asLoraState } from "./as-lora-state.js";

/**
 * One LoRA made of several adapters, LoRAs or what has an exact form as one (LoHa, LoKr), layer by layer; a layer that some lack is made of those that have it.
 * @throws ConfigError if ranks or options do not fit; CapabilityError for adapters that are no plain LoRA
 * @see peft `tuners/lora/model.py` add_weighted_adapter, `utils/merge_utils.py`
 */
export async function combineAdapters(
  given: readonly AdapterState[],
  weights: readonly number[],
  options: CombineOptions = {},
): Promise<AdapterState> {
  const states = await Promise.all(given.map(asLora));
  const [first] = states;
  if (!first || states.length !== weights.length)
    throw new ConfigError(`${states.length} adapters and ${weights.length} weights: expected equally many, at least one`);
  states.forEach(assertPlain);
  const paths = [...new Set(states.flatMap(({ layers }) => [...layers.keys()]))];
  const perLayer = new Map(paths.map((path) => [path, sourcesAt(path, states, weights)]));
  const ranks = states.map(({ config }) => (config.values as unknown as LoraConfigFields).r);
  const { type, rank, factors } = await combineSources(perLayer, ranks, options);
  const placed = new Map(states.flatMap((state) => [...(state.placed ?? [])]));
  return { ...stateOf(first, factors, perLayer, type, rank), placed };
}

async function asLora(state: AdapterState): Promise<AdapterState> {
  const lora = await asLoraState(state);
  if (typeof lora !== "string") return lora;
  throw new CapabilityError(lora, { kind: "not-combinable", hint: "merge them into the weights one after the other" });
}

function assertPlain({ config, layers, replaced, expected }: AdapterState): void {
  const values = config.values as unknown as LoraConfigFields;
  const special = values.useDora
    ? "DoRA"
    : values.loraBias
      ? "lora_bias"
      : values.targetParameters
        ? "target_parameters"
        : replaced.size > 0
          ? "modules_to_save or trained biases"
          : loraVariant(values)?.field;
  if (special || expected.size > 0 || [...layers.values()].some((list) => list.length > 1 || (list[0]!.method as unknown) !== LORA))
    throw new CapabilityError(`a LoRA with ${special ?? "trained tokens or a base of its own"} cannot be combined with others`);
}

function sourcesAt(path: string, states: readonly AdapterState[], weights: readonly number[]): Source[] {
  return states.flatMap(({ layers }, i) => {
    const found = layers.get(path)?.[0];
    return found ? [sourceOf(found, weights[i]!)] : [];
  });
}

function sourceOf({ params, context }: Attached, weight: number): Source {
  const { layer, config } = context as { layer: LayerSpec; config: LoraConfigFields };
  const { A, B } = params as { A: Tensor; B: Tensor };
  return { A, B, scale: loraScaling(config), weight, layer, delta: () => LORA.delta!(params, { layer, config, scale: 1 }) };
}

function stateOf(
  source: AdapterState,
  made: ReadonlyMap<string, Params>,
  perLayer: ReadonlyMap<string, readonly Source[]>,
  type: CombinationType,
  rank: number,
): AdapterState {
  const old = source.config.values as unknown as LoraConfigFields;
  const useRslora = type === "exact" ? false : old.useRslora;
  const ranks = new Map([...made].map(([path, { A }]) => [path, A!.shape[0]!]));
  // PEFT clears the patterns though layers may differ in rank, and cannot read the result again; here each rank is the true one.
  const rankPattern = Object.fromEntries(
    [...ranks].filter(([, r]) => r !== rank).map(([path, r]) => [`^${path.replaceAll(".", "\\.")}`, r]),
  );
  const values = {
    ...source.config.values,
    ...readFields(LORA_FIELDS, {
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
        [{ method: LORA, params, context: { layer: perLayer.get(path)![0]!.layer, config, scale: 1 } } as unknown as Attached],
      ] as const;
    }),
  );
  return { config: { ...source.config, values }, layers, shared: {}, replaced: new Map(), expected: new Map() };
}
