import { ARROW, ARROW_FIELDS, arrowPrototype, LORA, type LoraConfigFields, loraScaling, loraVariant } from "@weft/adapters-lora";
import {
  add,
  type AdapterContext,
  assertKnownFields,
  type Attached,
  CapabilityError,
  concat,
  ConfigError,
  mul,
  reshape,
  type Params,
  readFields,
  sub,
  type Tensor,
  tensor,
} from "@weft/tensor-core";
import { readAdapterConfig } from "@weft/adapter-files";
import type { AdapterState } from "@weft/registry";
import type { PeftModel } from "@weft/registry";

/** A router's name, and the general knowledge that it takes out. */
export interface ArrowOptions {
  /** Name of the router; `arrow_router` if not given, as in PEFT. */
  readonly adapterName?: string;
  /** LoRAs of general knowledge, whose mean is taken out of every expert (GenKnowSub). */
  readonly generalAdapterNames?: readonly string[];
  /** PEFT's `ArrowConfig`: `topK`, `routerTemperature`, `rngSeed`. */
  readonly config?: { readonly [field: string]: unknown };
}

/**
 * Adds a router that mixes LoRAs of a model token by token (Arrow; PEFT's `create_arrow_model`), and makes it the active adapter. The experts are taken as
 * they are now. A router has nothing to train and no file of its own.
 * @param taskAdapterNames the experts: plain LoRAs on the same linear layers, of one rank
 * @throws ConfigError, CapabilityError if they do not fit together
 */
export function addArrowRouter(peft: PeftModel<never, unknown>, taskAdapterNames: readonly string[], options: ArrowOptions = {}): void {
  const { adapterName = "arrow_router", generalAdapterNames = [] } = options;
  assertKnownFields(options.config ?? {}, Object.keys(ARROW_FIELDS), "ArrowConfig");
  const config = {
    ...readFields(ARROW_FIELDS, options.config ?? {}),
    useGks: generalAdapterNames.length > 0,
    taskAdapterNames,
    gksAdapterNames: generalAdapterNames,
  };
  const { topK, rngSeed } = config as unknown as { readonly topK: number; readonly rngSeed: number | null };
  if (taskAdapterNames.length < topK)
    throw new ConfigError(`Arrow: top_k is ${topK}, but there are ${taskAdapterNames.length} adapters to route to`);
  const states = (names: readonly string[]): AdapterState[] => names.map((name) => peft.state(name));
  const [tasks, general] = [states(taskAdapterNames), states(generalAdapterNames)];
  [...tasks, ...general].forEach((state, i) => assertExpert(state, [...taskAdapterNames, ...generalAdapterNames][i]!, tasks[0]!));
  const layers = new Map<string, readonly Attached[]>();
  for (const [path, [first]] of tasks[0]!.layers) {
    const factors = (of: readonly AdapterState[]): Params[] => of.map(({ layers: all }) => all.get(path)![0]!.params);
    const params = router(
      factors(tasks),
      factors(general),
      tasks.map((state) => scaleAt(state, path)),
      rngSeed ?? 0,
    );
    layers.set(path, [{ method: ARROW, params, context: { ...first!.context, config } } as unknown as Attached]);
  }
  const { r } = tasks[0]!.config.values as unknown as LoraConfigFields;
  const values = readAdapterConfig(
    { peft_type: LORA.name, r, target_modules: [...layers.keys()], arrow_config: config },
    { methods: peft.methods },
  );
  peft.setState({ config: values, layers, shared: {}, replaced: new Map(), expected: new Map() }, adapterName);
  peft.setAdapter(adapterName);
}

const scaleAt = ({ layers }: AdapterState, path: string): number =>
  loraScaling((layers.get(path)![0]!.context as AdapterContext<never>).config);

function assertExpert({ config, layers, expected }: AdapterState, name: string, first: AdapterState): void {
  const values = config.values as unknown as LoraConfigFields;
  const special =
    config.peftType !== LORA.name
      ? config.peftType
      : (loraVariant(values)?.field ?? (values.useDora ? "use_dora" : values.loraBias ? "lora_bias" : undefined));
  if (special !== undefined || expected.size > 0)
    throw new CapabilityError(`Arrow routes between plain LoRAs, adapter "${name}" is ${special ?? "on a base of its own"}`);
  for (const [path, [attached, more]] of layers) {
    const { layer } = attached!.context;
    if (layer.kind !== "linear" || more)
      throw new CapabilityError(`Arrow is for linear layers alone, adapter "${name}" has ${path}`, { tensor: path });
    const shapes = (one: Attached | undefined): string | undefined => one && `${one.params["A"]!.shape} ${one.params["B"]!.shape}`;
    if (shapes(attached) !== shapes(first.layers.get(path)?.[0]))
      throw new ConfigError(`Arrow: adapter "${name}" has other ranks than the first one at ${path}`, { tensor: path });
  }
  const missing = [...first.layers.keys()].find((path) => !layers.has(path));
  if (missing !== undefined)
    throw new ConfigError(`Arrow: adapter "${name}" does not have ${missing}, which the first one has`, { tensor: missing });
}

/** The experts' factors of one layer, less the mean of the general ones, side by side. */
function router(tasks: readonly Params[], general: readonly Params[], scales: readonly number[], seed: number): Params {
  const special = (name: "A" | "B"): Tensor[] => {
    const own = tasks.map((params) => params[name]!);
    if (general.length === 0) return own;
    const mean = mul(
      general.map((params) => params[name]!).reduce((sum, t) => add(sum, t)),
      1 / general.length,
    );
    return own.map((t) => sub(t, mean));
  };
  const [A, B] = [special("A"), special("B")];
  return {
    prototypes: concat(
      A.map((a, i) => reshape(arrowPrototype(a, B[i]!, seed), [1, -1])),
      0,
    ),
    A: concat(A, 0),
    B: concat(B, 1),
    scales: tensor(Float32Array.from(scales)),
  };
}
