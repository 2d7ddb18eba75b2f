import { observeReads } from "@weft/io-safetensors";
import { ConfigError, drawsOf, type LongCallOptions, Tensor } from "@weft/tensor-core";
import { attachAdapter } from "../attach.js";
import { ADAPTER_METHODS } from "../dialects/all-methods.js";
import type { MethodTable } from "../methods.js";
import type { OpenedAdapter } from "../open-adapter.js";
import { attachPrompt } from "../prompt/attach-prompt.js";
import { around, beginPass, hookOf, takesTasks, withPrompts } from "./active-adapters.js";
import { type AdapterParameters, type AdapterState, parametersOf, withParameters } from "./adapter-state.js";
import { combineAdapters, type CombineOptions } from "./combine.js";
import { countTrainable, describeCount, type ParameterCount } from "./count-parameters.js";
import { type HookedModel, type LayerHook, onModel } from "./hooked-model.js";
import { type Experts, mixedLayers } from "./expert-state.js";
import { hostOf } from "./host-of.js";
import { adaptedBase, mergedWeights } from "./merged-weights.js";
import { assertPerRow, BASE, mixedHook, type PreparedBatch, prepareBatch, type RowAdapters } from "./mixed-batch.js";
import { type ConfigInput, newAdapter, type NewAdapterOptions } from "./new-state.js";
import { promptSizes, stateOfPrompt } from "./prompt-state.js";
import { stateOfAttached } from "./state-of-attached.js";
import { assertDecided } from "./training-options.js";
import { actingState } from "./tied-layers.js";
import { isSharedOnly, stateOfShared } from "./state-of-shared.js";

export interface ForwardOptions {
  /** One adapter's name per row of the batch, `"__base__"` for none, instead of the active adapters. */
  readonly adapterNames?: readonly string[];
  /**
   * The same by number, i32 [batch]: place in the list that was given to `prepareBatch`, -1 for none. It is data: a compiled forward takes any
   * mixture without a new plan. LoRAs, and LoHa and LoKr as such, once they are prepared.
   */
  readonly adapterIndex?: Tensor;
  /**
   * The pass trains: dropout and noise act as the configs of the adapters ask for, drawn from this key (`randomKey(step)`); the same key gives the same
   * draws. It is data: give it to a compiled step as an argument. Without it, or null, nothing is dropped.
   */
  readonly dropoutKey?: Tensor | null;
  /** The task of each row, i32 [batch], for adapters of several tasks: Poly, multitask prompts. */
  readonly taskIds?: Tensor;
  /** A hook around the adapters: the base that it is given is the layer with them. */
  readonly hook?: LayerHook;
}

export interface LoadAdapterOptions extends LongCallOptions {
  /** Go on although the config asks for something, or the file holds something, that is not known here, and so cannot be done. */
  readonly allowUnknownFields?: boolean;
  /** Hold the adapter in f32 whatever its file holds (default), or in the dtype of the weights that it is for: PEFT's `autocast_adapter_dtype`. */
  readonly autocastAdapterDtype?: boolean;
  /** The adapters that this one mixes, opened, by their names in its config (X-LoRA). */
  readonly experts?: Experts;
}

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
  private readonly adapters: Map<string, AdapterState>;
  private active: readonly string[] = [];
  private disabled = false;
  private prepared: PreparedBatch | undefined;
  private merged:
    | { readonly names: readonly string[]; readonly safeMerge: boolean; readonly weights: ReadonlyMap<string, Tensor> }
    | undefined;
  /** Its parameters are a training step's. */
  private stepping = false;

  /** @param methods what `peft_type` may be; PEFT's and LyCORIS's methods if not given */
  constructor(
    baseModel: HookedModel<Inputs, Outputs>,
    methods: MethodTable = ADAPTER_METHODS,
    adapters: Map<string, AdapterState> = new Map(),
  ) {
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
      methods = ADAPTER_METHODS,
      ...options
    }: LoadAdapterOptions & { readonly adapterName?: string; readonly methods?: MethodTable } = {},
  ): Promise<PeftModel<I, O>> {
    const peft = new PeftModel(model, methods);
    await peft.loadAdapter(adapter, adapterName, options);
    return peft;
  }

  /** Names of all adapters. */
  get adapterNames(): readonly string[] {
    return [...this.adapters.keys()];
  }

  get activeAdapters(): readonly string[] {
    return this.active;
  }

  /** Adapters that are merged into the weights. */
  get mergedAdapters(): readonly string[] {
    return this.merged?.names ?? [];
  }

  /** Adds an adapter from a file; the first one becomes active. @throws ConfigError if the name is taken, or the config asks for what is not known; MatchError, ShapeError if it does not wholly fit */
  async loadAdapter(
    opened: OpenedAdapter,
    name: string,
    { allowUnknownFields = false, autocastAdapterDtype = true, experts, ...call }: LoadAdapterOptions = {},
  ): Promise<void> {
    this.assertNew(name);
    const { method, prompt } = this.methods.get(opened.method) ?? {};
    const config = onModel(opened.config, method, this.baseModel);
    const adapter = { ...opened, config, weights: observeReads(opened.weights, call) };
    const host = hostOf(this.baseModel, method);
    const options = { methods: this.methods, allowUnknownFields };
    const mixed = method?.mix && (await mixedLayers(method, adapter.config, experts, this.baseModel, { ...options, autocastAdapterDtype }));
    if (prompt)
      return this.put(
        name,
        stateOfPrompt(adapter.config, await attachPrompt(adapter, { ...host, sizes: promptSizes(this.baseModel) }, options)),
      );
    if (isSharedOnly(adapter, this.methods)) return this.put(name, await stateOfShared(adapter, this.baseModel, options));
    const attached = await attachAdapter(adapter, host, {
      ...options,
      autocastAdapterDtype,
      allowPlaced: true,
      ...(mixed && { layers: mixed.attached }),
    });
    this.put(name, { ...(await stateOfAttached(adapter, attached, this.baseModel)), ...(mixed && { experts: mixed.experts }) });
  }

  /** Adds a new adapter on the modules that its config names; the first one becomes active. @throws ConfigError */
  async addAdapter(name: string, config: ConfigInput, options: Omit<NewAdapterOptions, "methods"> = {}): Promise<void> {
    this.assertNew(name);
    this.put(name, await newAdapter(this.baseModel, config, { ...options, methods: this.methods }));
  }

  /** Chooses the adapters that act, in this order. @throws ConfigError if one is unknown */
  setAdapter(names: string | readonly string[]): void {
    const list = typeof names === "string" ? [names] : [...names];
    list.forEach((name) => this.state(name));
    this.active = list;
  }

  /** Removes an adapter; if it was the only active one, the next remaining one becomes active. @throws ConfigError if it is unknown or merged */
  deleteAdapter(name: string): void {
    this.state(name);
    if (this.mergedAdapters.includes(name)) throw new ConfigError(`adapter "${name}" is merged`, { hint: "unmergeAdapter() first" });
    this.adapters.delete(name);
    this.forget(name);
    const rest = this.active.filter((other) => other !== name);
    this.active = rest.length > 0 ? rest : this.adapterNames.slice(0, 1);
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
  forward(inputs: Inputs, { adapterNames, adapterIndex, taskIds, hook, dropoutKey }: ForwardOptions = {}): Outputs {
    if (this.disabled) return this.baseModel.forward(inputs, hook);
    const rows = adapterNames ?? adapterIndex;
    if (dropoutKey && (rows || this.merged))
      throw new ConfigError(`a pass with ${rows ? "an adapter per row" : "merged adapters"} does not train: it takes no dropoutKey`);
    if (rows) return this.forwardMixed(inputs, rows, hook);
    if (this.merged) return this.baseModel.withWeights(this.merged.weights).forward(inputs, hook);
    const states = this.acting(this.active);
    if (taskIds && !states.some(takesTasks))
      throw new ConfigError(`taskIds were given, but none of the active adapters (${this.active.join(", ")}) has tasks`);
    if (dropoutKey !== null) assertDecided(states, { training: this.stepping, drawn: dropoutKey !== undefined });
    const draws = dropoutKey ? drawsOf(dropoutKey) : undefined;
    const given = withPrompts(states, inputs, taskIds, draws);
    const model = adaptedBase(this.baseModel, states);
    const passes = states.map((state) => beginPass(model, state, given as Inputs, taskIds, draws));
    return model.forward(given, around(hook, hookOf(states, passes)));
  }

  /**
   * Makes adapters ready for batches that mix them: their factors are put side by side once, instead of in every pass. Adapters that change
   * afterwards have to be prepared again.
   */
  async prepareBatch(names: readonly string[]): Promise<void> {
    this.prepared = await prepareBatch(this.rowStates(names));
  }

  /** The trained tensors of an adapter, to be changed and given to `withParameters`. */
  parameters(name: string = this.only()): AdapterParameters {
    return parametersOf(this.state(name));
  }

  /**
   * This model with other values in an adapter's trained tensors; it shares everything else. For functions that `grad` and `compile` trace.
   * @throws ConfigError if adapters are merged: the merged weights would not follow the values
   */
  withParameters(parameters: AdapterParameters, name: string = this.only()): PeftModel<Inputs, Outputs> {
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
  setParameters(parameters: AdapterParameters, name: string = this.only()): void {
    this.assertUnmerged(name);
    this.forget(name);
    this.adapters.set(name, withParameters(this.state(name), parameters));
  }

  /** Puts a state in an adapter's place, or adds it. @throws ConfigError while the adapter is merged, or if a new name cannot be one */
  setState(state: AdapterState, name: string = this.only()): void {
    if (this.adapters.has(name)) this.assertUnmerged(name);
    else this.assertNew(name);
    this.forget(name);
    this.put(name, state);
  }

  /** The same adapters on another version of the model. They are shared: what is added or trained here is there, too. What is merged here is merged there. */
  over(model: HookedModel<Inputs, Outputs>): PeftModel<Inputs, Outputs> {
    const other = new PeftModel(model, this.methods, this.adapters);
    other.active = this.active;
    other.disabled = this.disabled;
    if (this.merged) other.mergeAdapter({ safeMerge: this.merged.safeMerge, adapterNames: this.merged.names });
    return other;
  }

  /** The config and the tensors of an adapter. */
  state(name: string): AdapterState {
    const found = this.adapters.get(name);
    if (!found)
      throw new ConfigError(`there is no adapter "${name}"`, {
        kind: "no-such-adapter",
        hint: this.adapters.size === 0 ? "load or add one first" : `there are ${this.adapterNames.join(", ")}`,
      });
    return found;
  }

  /** Puts W' of the adapters in the place of the weights; `forward` then costs what the base costs. @throws ConfigError if something is merged already; CapabilityError if a method cannot be merged */
  mergeAdapter({ safeMerge = false, adapterNames = this.active }: MergeOptions = {}): void {
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
        mergedWeights(this.baseModel, this.acting(options.adapterNames ?? this.active), options.safeMerge ?? false),
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

  /** Adds an adapter made of others. @see combineAdapters @throws ConfigError if they cannot be combined so */
  async addWeightedAdapter(
    names: readonly string[],
    weights: readonly number[],
    name: string,
    options: CombineOptions = {},
  ): Promise<void> {
    this.assertNew(name);
    this.put(name, await combineAdapters(this.states(names), weights, options), false);
  }

  /** Numbers of parameters: those that the active adapters train, and all. */
  trainableParameters(): ParameterCount {
    return countTrainable(this.baseModel.weights.values(), this.states(this.active));
  }

  /** `trainable params: 921,600 || all params: 135,436,608 || trainable%: 0.6805`, as PEFT prints it. */
  describeTrainableParameters(): string {
    return describeCount(this.trainableParameters());
  }

  private forwardMixed(inputs: Inputs, rows: RowAdapters, hook: LayerHook | undefined): Outputs {
    if (this.merged)
      throw new ConfigError("a batch with an adapter per row needs the weights unmerged", { hint: "unmergeAdapter() first" });
    const byNumber = rows instanceof Tensor;
    if (byNumber && !this.prepared)
      throw new ConfigError("adapterIndex counts the adapters of a prepared batch", { hint: "await prepareBatch(names) first" });
    const asked = byNumber ? this.prepared!.names : [...new Set(rows)].filter((name) => name !== BASE);
    const { prepared } = this;
    const covered = prepared !== undefined && asked.every((name) => prepared.names.includes(name));
    return this.baseModel.forward(
      inputs,
      around(hook, mixedHook(this.rowStates(covered ? prepared.names : asked), rows, covered ? prepared : undefined)),
    );
  }

  private rowStates(names: readonly string[]): Map<string, AdapterState> {
    const states = new Map(names.map((name) => [name, this.state(name)]));
    assertPerRow(states);
    return states;
  }

  /** Adapters as they act on this model. */
  private acting(names: readonly string[]): AdapterState[] {
    return this.states(names).map((state) => actingState(this.baseModel, state));
  }

  private states(names: readonly string[]): AdapterState[] {
    return names.map((name) => this.state(name));
  }

  /** Factors of an adapter that changed or went away are not those that were prepared. */
  private forget(name: string): void {
    if (this.prepared?.names.includes(name)) this.prepared = undefined;
  }

  private put(name: string, state: AdapterState, activate = this.adapters.size === 0): void {
    this.adapters.set(name, state);
    if (activate) this.active = [name];
  }

  private only(): string {
    if (this.active.length !== 1) throw new ConfigError(`${this.active.length} adapters are active: say which one is meant`);
    return this.active[0]!;
  }

  private assertNew(name: string): void {
    if (name === BASE || name === "" || /[./\\]/.test(name)) throw new ConfigError(`"${name}" cannot be an adapter's name`);
    if (this.adapters.has(name))
      throw new ConfigError(`there is an adapter "${name}" already`, { hint: "deleteAdapter() first, or take another name" });
  }

  private assertUnmerged(name: string): void {
    if (this.mergedAdapters.includes(name)) throw new ConfigError(`adapter "${name}" is merged`, { hint: "unmergeAdapter() first" });
  }

  private copy(): PeftModel<Inputs, Outputs> {
    const copy = new PeftModel(this.baseModel, this.methods);
    for (const [name, state] of this.adapters) copy.adapters.set(name, state);
    copy.active = this.active;
    copy.prepared = this.prepared;
    copy.disabled = this.disabled;
    return copy;
  }
}
