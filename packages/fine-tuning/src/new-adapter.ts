import { baseChange, type LoraConfigFields } from "@weft/adapters-lora";
import {
  initializeLoraCordaWeights,
  initializeLoraEvaWeights,
  initializeLoraGaWeights,
  initializeLoraLoftQWeights,
} from "@weft/lora-recipes";
import { getPeftModel, type HookedModel, type PeftModel } from "@weft/registry";
import { camel, ConfigError, div, type Device, deviceOf, type LongCallOptions, type MethodTable } from "@weft/tensor-core";
import { type Batch, batchTensors, type Objective, passOf, SFT, type Trainee } from "@weft/training";

/** So many batches, from the first one on, tell a start what goes through the model. */
const START_BATCHES = 32;

/** PEFT's config as {@link adapterConfig} gives it. */
type Config = { readonly peft_type: string; readonly [field: string]: unknown };
type Model = HookedModel<never, unknown>;

/** What a new adapter is made of. */
export interface NewAdapterOptions extends Pick<LongCallOptions, "signal"> {
  readonly methods: MethodTable;
  /** Of first values. */
  readonly seed: number;
  /** What is trained on: a start from data looks at the first batches. */
  readonly batches: Iterable<Batch>;
  /** What is minimised, for a start from gradients; `SFT` if not given. */
  readonly objective?: Objective | undefined;
}

/** A start that needs a model at work, or its weights in another form. */
type Start = (peft: PeftModel<never, unknown>, options: NewAdapterOptions) => Promise<void>;

const firstBatches = (peft: PeftModel<never, unknown>, { batches }: NewAdapterOptions): ReturnType<typeof batchTensors>[] => {
  const device: Device = deviceOf([...peft.baseModel.weights.values()]);
  const found: ReturnType<typeof batchTensors>[] = [];
  for (const batch of batches) if (found.push(batchTensors(batch, device)) === START_BATCHES) break;
  return found;
};

/** The base alone, as an objective runs it. */
const asTrainee = (baseModel: Model): Trainee =>
  ({ baseModel, forward: (inputs: never, options?: { readonly hook?: never }) => baseModel.forward(inputs, options?.hook) }) as never;

const STARTS: { readonly [name: string]: Start } = {
  eva: (peft, options) => initializeLoraEvaWeights(peft, firstBatches(peft, options) as never, options),
  corda: (peft, options) => initializeLoraCordaWeights(peft, firstBatches(peft, options) as never, options),
  lora_ga: (peft, options) =>
    initializeLoraGaWeights(
      peft,
      (model, batch: ReturnType<typeof batchTensors>) => {
        const { sum, weight } = (options.objective ?? SFT).loss(passOf(asTrainee(model), { dropoutKey: null }), batch);
        return div(sum, weight);
      },
      firstBatches(peft, options),
      options,
    ),
  async loftq(peft, options) {
    const { loftqConfig } = peft.state(peft.activeAdapters[0]!).config.values as unknown as LoraConfigFields;
    const rounds = (loftqConfig as { readonly loftqIter?: number } | null)?.loftqIter ?? 1;
    if (rounds !== 1)
      throw new ConfigError(
        `loftq_iter is ${rounds}: the base of later rounds is no quantised form of the model that could be made again`,
        {
          kind: "training-option",
          hint: "set loftq_iter to 1: the adapter then goes with the quantised base",
        },
      );
    await initializeLoraLoftQWeights(peft, options);
    // As PEFT asks for before it is saved: on the quantised base it is a LoRA like any other.
    const state = peft.state(peft.activeAdapters[0]!);
    const values = { ...state.config.values, initLoraWeights: true, loftqConfig: {} };
    peft.setState({ ...state, config: { ...state.config, values } }, peft.activeAdapters[0]!);
  },
};

const startOf = (config: Config): string | undefined => {
  const name = config["init_lora_weights"];
  return config.peft_type === "LORA" && typeof name === "string" && Object.hasOwn(STARTS, name) ? name : undefined;
};

/**
 * Whether the training of such an adapter is on a base that its start has changed, which its file does not tell: it goes on from a checkpoint by being made again, from the same
 * data, and getting the checkpoint's parameters.
 */
export function isMadeAgain(config: Config): boolean {
  if (config.peft_type !== "LORA") return false;
  const fields = Object.fromEntries(Object.entries(config).map(([name, value]) => [camel(name), value]));
  return baseChange(fields as Partial<LoraConfigFields>)?.determined === false;
}

/**
 * A new adapter with the start that its `init_lora_weights` asks for: those that PEFT's config makes alone (PiSSA, OLoRA and others), and those that need data or gradients (`eva`,
 * `corda`, `lora_ga`), or a quantiser (`loftq`). An adapter begun by CorDA, LoRA-GA or PiSSA's fast decomposition is saved for the original base; one begun by LoftQ is for the
 * base in four bits (`weft quantize --to nf4`).
 * @throws what `getPeftModel` and the starts of `@weft/lora-recipes` throw; ConfigError for several rounds of LoftQ
 */
export async function newAdapter<I, O>(base: HookedModel<I, O>, config: Config, options: NewAdapterOptions): Promise<PeftModel<I, O>> {
  const { methods, seed, signal } = options;
  const name = startOf(config);
  const plain = name === undefined ? config : { ...config, init_lora_weights: true };
  const peft = await getPeftModel<I, O>(base as never, plain, { methods, seed, ...(signal && { signal }) });
  if (name !== undefined) await STARTS[name]!(peft as never, options);
  return peft;
}
