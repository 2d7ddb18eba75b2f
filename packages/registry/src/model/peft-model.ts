import { type Attached, CapabilityError, ConfigError, type MethodTable, Tensor } from "@weft/tensor-core";
import type { OpenedAdapter } from "@weft/adapter-files";
import {
  activePartOf,
  around,
  assertTasks,
  beginPass,
  forwardActive,
  type ForwardOptions,
  takesTasks,
  virtualTokensOf,
} from "./active-adapters.js";
import { type AdapterParameters, type AdapterState, parametersOf, withParameters } from "./adapter-state.js";
import type { CombineOptions } from "@weft/convert";
import { countTrainable, describeCount, type ParameterCount } from "./count-parameters.js";
import type { HookedModel } from "./hooked-model.js";
import { type LoadAdapterOptions, loadState } from "./load-state.js";
import { adaptedBase, mergedWeights } from "./merged-weights.js";
import { assertPerRow, BASE, mixedHook, type PreparedBatch, prepareBatch, type RowAdapters } from "./mixed-batch.js";
import { type ConfigInput, newAdapter, type NewAdapterOptions } from "./new-adapter.js";
import { NamedAdapters } from "./named-adapters.js";
import { assertDecided } from "./training-options.js";
import { actingState } from "./tied-layers.js";

/** Which adapters are merged, and how the result is rounded. */
export interface MergeOptions {
  /** Round as PEFT's `safe_merge` does: for most methods Δ is rounded to the weight's dtype before it is added. */
  readonly safeMerge?: boolean;
  /** The active ones if not given. */
  readonly adapterNames?: readonly string[];
}

/**
 * A model with any number of adapters of any methods, under PEFT's names. Nothing is computed before a result is asked for; adapters are values, so
 * switching them moves no memory.
 */
export class PeftModel<Inputs, Outputs> {
  /** The model without any adapter. */
  readonly baseModel: HookedModel<Inputs, Outputs>;
  /** What `peft_type` may be. */
  readonly methods: MethodTable;
  private readonly adapters: NamedAdapters;
  private disabled = false;
  private prepared: PreparedBatch | undefined;
  private merged:
    | { readonly names: readonly string[]; readonly safeMerge: boolean; readonly weights: ReadonlyMap<string, Tensor> }
    | undefined;
  /** Its parameters are a training step's. */
  private stepping = false;

  /** @param methods what `peft_type` may be: `methodTable(LORA)`, or a table of `@weft/methods` */
  constructor(baseModel: HookedModel<Inputs, Outputs>, methods: MethodTable, adapters: NamedAdapters = new NamedAdapters()) {
    this.baseModel = baseModel;
    this.methods = methods;
    this.adapters = adapters;
  }

  /** A model with one adapter from a file. @throws MatchError, ShapeError if it does not wholly fit */
  static async fromPretrained<I, O>(
    model: HookedModel<I, O>,
    adapter: OpenedAdapter,
    {
      adapterName = "default",
      methods = adapter.methods,
      ...options
    }: LoadAdapterOptions & { readonly adapterName?: string; readonly methods?: MethodTable } = {},
  ): Promise<PeftModel<I, O>> {
    const peft = new PeftModel(model, methods);
    await peft.loadAdapter(adapter, adapterName, options);
    return peft;
  }

  /** Names of all adapters. */
  get adapterNames(): readonly string[] {
    return this.adapters.names;
  }

  get activeAdapters(): readonly string[] {
    return this.adapters.active;
  }

  /** How many positions the prompts of the active adapters take in front of the input; a cache needs room for them. */
  get numVirtualTokens(): number {
    return this.disabled ? 0 : virtualTokensOf(this.adapters.all(this.adapters.active));
  }

  /**
   * From which token of a sequence on an adapter acts: 0, unless it waits for its invocation tokens (aLoRA); undefined where these do not occur.
   * @param ids the whole sequence so far
   */
  actsFrom(ids: ArrayLike<number>, name: string = this.adapters.only): number | undefined {
    const part = activePartOf(this.state(name));
    return part ? part.start(ids) : 0;
  }

  /** Adapters that are merged into the weights. */
  get mergedAdapters(): readonly string[] {
    return this.merged?.names ?? [];
  }

  /** Adds an adapter from a file; the first one becomes active. @throws ConfigError if the name is taken, or the config asks for what is not known; MatchError, ShapeError if it does not wholly fit */
  async loadAdapter(opened: OpenedAdapter, name: string, options: LoadAdapterOptions = {}): Promise<void> {
    this.adapters.assertNew(name);
    this.adapters.set(name, await loadState(this.baseModel, opened, options));
  }

  /** Adds a new adapter on the modules that its config names; the first one becomes active. @throws ConfigError */
  async addAdapter(name: string, config: ConfigInput, options: Omit<NewAdapterOptions, "methods"> = {}): Promise<void> {
    this.adapters.assertNew(name);
    this.adapters.set(name, await newAdapter(this.baseModel, config, { ...options, methods: this.methods }));
  }

  /** Chooses the adapters that act, in this order. @throws ConfigError if one is unknown */
  setAdapter(names: string | readonly string[]): void {
    this.adapters.choose(typeof names === "string" ? [names] : names);
  }

  /** Removes an adapter; if it was the only active one, the next remaining one becomes active. @throws ConfigError if it is unknown or merged */
  deleteAdapter(name: string): void {
    this.state(name);
    this.assertUnmerged(name);
    this.adapters.delete(name);
    this.forget(name);
  }

  disableAdapters(): void {
    this.disabled = true;
  }

  enableAdapters(): void {
    this.disabled = false;
  }

  /** Runs `use` without any adapter, and puts things back as they were. */
  async withAdapterDisabled<T>(use: () => T | Promise<T>): Promise<T> {
    const before = this.disabled;
    this.disabled = true;
    try {
      return await use();
    } finally {
      this.disabled = before;
    }
  }

  /** The model's outputs with the active adapters, or with one adapter per row of the batch. @throws ConfigError */
  forward(inputs: Inputs, options: ForwardOptions = {}): Outputs {
    const { adapterNames, adapterIndex, taskIds, actsFrom, hook, dropoutKey, isFirstIteration } = options;
    if (this.disabled) return this.baseModel.forward(inputs, hook);
    const rows = adapterNames ?? adapterIndex;
    if (dropoutKey && (rows || this.merged))
      throw new ConfigError(`a pass with ${rows ? "an adapter per row" : "merged adapters"} does not train: it takes no dropoutKey`);
    if (rows) return this.forwardMixed(inputs, rows, options);
    if (this.merged) return this.baseModel.withWeights(this.merged.weights).forward(inputs, hook);
    const states = this.acting(this.adapters.active);
    assertTasks(taskIds, states, this.adapters.active);
    if (dropoutKey !== null) assertDecided(states, { training: this.stepping, drawn: dropoutKey !== undefined });
    return forwardActive(adaptedBase(this.baseModel, states), states, inputs, { taskIds, actsFrom, hook, dropoutKey, isFirstIteration });
  }

  /**
   * Makes adapters ready for batches that mix them: their factors are put side by side once, instead of in every pass. Adapters that change
   * afterwards have to be prepared again.
   */
  async prepareBatch(names: readonly string[]): Promise<void> {
    this.prepared = await prepareBatch(this.rowStates(names), this.methods);
  }

  /** The trained tensors of an adapter, to be changed and given to `withParameters`. */
  parameters(name: string = this.adapters.only): AdapterParameters {
    return parametersOf(this.state(name));
  }

  /**
   * This model with other values in an adapter's trained tensors; it shares everything else. For functions that `grad` and `compile` trace.
   * @throws ConfigError if adapters are merged: the merged weights would not follow the values
   */
  withParameters(parameters: AdapterParameters, name: string = this.adapters.only): PeftModel<Inputs, Outputs> {
    if (this.merged)
      throw new ConfigError(`${this.merged.names.join(", ")} is merged: the weights would not follow other values of "${name}"`, {
        hint: "unmergeAdapter() first",
      });
    const copy = this.copy();
    copy.adapters.set(name, withParameters(this.state(name), parameters));
    copy.forget(name);
    copy.stepping = true;
    return copy;
  }

  /** Puts new values into an adapter, for good. */
  setParameters(parameters: AdapterParameters, name: string = this.adapters.only): void {
    this.assertUnmerged(name);
    this.forget(name);
    this.adapters.set(name, withParameters(this.state(name), parameters));
  }

  /** Puts a state in an adapter's place, or adds it. @throws ConfigError while the adapter is merged, or if a new name cannot be one */
  setState(state: AdapterState, name: string = this.adapters.only): void {
    if (this.adapters.has(name)) this.assertUnmerged(name);
    else this.adapters.assertNew(name);
    this.forget(name);
    this.adapters.set(name, state);
  }

  /**
   * Puts a factor on what an adapter does: 1 is as it was trained, 0 nothing. Parameters that it brings whole (`modules_to_save`, trained tokens) hold at full strength.
   * @throws ConfigError while the adapter is merged; CapabilityError for a prompt, which is there or not
   */
  setScale(scale: number, name: string = this.adapters.only): void {
    const state = this.state(name);
    if (!Number.isFinite(scale)) throw new ConfigError(`setScale: ${scale} is no factor, expected a finite number`);
    if (state.prompt)
      throw new CapabilityError(`adapter "${name}" (${state.config.peftType}) is a prompt: it has no effect that a factor could be put on`);
    const scaled = ({ context, ...one }: Attached): Attached => ({ ...one, context: { ...context, scale } });
    this.setState({ ...state, layers: new Map([...state.layers].map(([path, attached]) => [path, attached.map(scaled)])) }, name);
  }

  /** The same adapters on another version of the model. They are shared: what is added or trained here is there, too. What is merged here is merged there. */
  over(model: HookedModel<Inputs, Outputs>): PeftModel<Inputs, Outputs> {
    const other = new PeftModel(model, this.methods, this.adapters.shared());
    other.disabled = this.disabled;
    if (this.merged) other.mergeAdapter({ safeMerge: this.merged.safeMerge, adapterNames: this.merged.names });
    return other;
  }

  /** The config and the tensors of an adapter. */
  state(name: string): AdapterState {
    return this.adapters.get(name);
  }

  /** Puts W' of the adapters in the place of the weights; `forward` then costs what the base costs. @throws ConfigError if something is merged already; CapabilityError if a method cannot be merged */
  mergeAdapter({ safeMerge = false, adapterNames = this.adapters.active }: MergeOptions = {}): void {
    if (this.merged)
      throw new ConfigError(`${this.merged.names.join(", ")} is merged already`, {
        hint: "unmergeAdapter() first; merging twice would add it twice",
      });
    this.merged = { names: adapterNames, safeMerge, weights: mergedWeights(this.baseModel, this.acting(adapterNames), safeMerge) };
  }

  /** Puts the base weights back, bit for bit: they were kept. @throws ConfigError if nothing is merged */
  unmergeAdapter(): void {
    if (!this.merged) throw new ConfigError("no adapter is merged");
    this.merged = undefined;
  }

  /** A plain model with the adapters merged into its weights. */
  mergeAndUnload(options: MergeOptions = {}): HookedModel<Inputs, Outputs> {
    const { merged } = this;
    if (!merged)
      return this.baseModel.withWeights(
        mergedWeights(this.baseModel, this.acting(options.adapterNames ?? this.adapters.active), options.safeMerge ?? false),
      );
    if (options.adapterNames && options.adapterNames.join() !== merged.names.join())
      throw new ConfigError(`${merged.names.join(", ")} is merged, not ${options.adapterNames.join(", ")}`, {
        hint: "unmergeAdapter() first",
      });
    return this.baseModel.withWeights(merged.weights);
  }

  /** The model as it was. */
  unload(): HookedModel<Inputs, Outputs> {
    return this.baseModel;
  }

  /** Adds an adapter made of others. @throws ConfigError if they cannot be combined so */
  async addWeightedAdapter(
    names: readonly string[],
    weights: readonly number[],
    name: string,
    options: CombineOptions = {},
  ): Promise<void> {
    this.adapters.assertNew(name);
    const { combineAdapters } = await import("./combine.js");
    this.adapters.set(name, await combineAdapters(this.adapters.all(names), weights, this.methods, options), false);
  }

  /** Numbers of parameters: those that the active adapters train, and all. */
  trainableParameters(): ParameterCount {
    return countTrainable(this.baseModel.weights.values(), this.adapters.all(this.adapters.active));
  }

  /** `trainable params: 921,600 || all params: 135,436,608 || trainable%: 0.6805`, as PEFT prints it. */
  describeTrainableParameters(): string {
    return describeCount(this.trainableParameters());
  }

  private forwardMixed(inputs: Inputs, rows: RowAdapters, { hook, taskIds, actsFrom }: ForwardOptions): Outputs {
    if (this.merged)
      throw new ConfigError("a batch with an adapter per row needs the weights unmerged", { hint: "unmergeAdapter() first" });
    const byNumber = rows instanceof Tensor;
    if (byNumber && !this.prepared)
      throw new ConfigError("adapterIndex counts the adapters of a prepared batch", { hint: "await prepareBatch(names) first" });
    const asked = byNumber ? this.prepared!.names : [...new Set(rows)].filter((name) => name !== BASE);
    const prepared = asked.every((name) => this.prepared?.names.includes(name)) ? this.prepared : undefined;
    const states = this.rowStates(prepared?.names ?? asked);
    assertTasks(taskIds, this.adapters.all(asked), asked);
    const options = (state: AdapterState): ForwardOptions => ({
      ...(taskIds && takesTasks(state) && { taskIds }),
      ...(actsFrom && { actsFrom }),
    });
    const passes = new Map([...states].map(([name, state]) => [name, beginPass(this.baseModel, state, inputs, options(state))]));
    return this.baseModel.forward(inputs, around(hook, mixedHook(states, { rows, prepared, passes })));
  }

  private rowStates(names: readonly string[]): Map<string, AdapterState> {
    const states = new Map(names.map((name) => [name, this.state(name)]));
    assertPerRow(states);
    return states;
  }

  /** Adapters as they act on this model. */
  private acting(names: readonly string[]): AdapterState[] {
    return this.adapters.all(names).map((state) => actingState(this.baseModel, state));
  }

  /** Factors of an adapter that changed or went away are not those that were prepared. */
  private forget(name: string): void {
    if (this.prepared?.names.includes(name)) this.prepared = undefined;
  }

  private assertUnmerged(name: string): void {
    if (this.mergedAdapters.includes(name)) throw new ConfigError(`adapter "${name}" is merged`, { hint: "unmergeAdapter() first" });
  }

  private copy(): PeftModel<Inputs, Outputs> {
    const copy = new PeftModel(this.baseModel, this.methods, this.adapters.copy());
    copy.prepared = this.prepared;
    copy.disabled = this.disabled;
    return copy;
  }
}
