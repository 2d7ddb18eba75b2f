import {
  type AdapterContext,
  type Attached,
  CapabilityError,
  ConfigError,
  forwardAdapters,
  forwardBase,
  mergeBias,
  mergeWeight,
  sizeOf,
  Tensor,
} from "@weft/tensor-core";
import { invocationMask, invocationTokens } from "@weft/adapters-lora";
import { type PromptInputs, promptOf, withPrompt } from "@weft/adapters-prompt";
import { attachAdapter } from "../attach.js";
import { type MethodTable, PEFT_METHODS } from "../methods.js";
import type { OpenedAdapter } from "../open-adapter.js";
import { type AdapterParameters, type AdapterState, ownNames, parametersOf, withParameters } from "./adapter-state.js";
import { combineAdapters, type CombineOptions } from "./combine.js";
import { type HookedLayer, type HookedModel, type LayerHook, weightName } from "./hooked-model.js";
import { BASE, mixedHook, type PreparedBatch, prepareBatch, type RowAdapters } from "./mixed-batch.js";
import { type ConfigInput, newAdapter, type NewAdapterOptions } from "./new-state.js";
import { attachPrompt } from "../prompt/attach-prompt.js";
import { promptSizes, stateOfPrompt } from "./prompt-state.js";
import { stateOfAttached } from "./state-of-attached.js";

export interface ForwardOptions {
  /** One adapter's name per row of the batch, `"__base__"` for none, instead of the active adapters. */
  readonly adapterNames?: readonly string[];
  /**
   * The same by number, i32 [batch]: place in the list that was given to `prepareBatch`, -1 for none. It is data: a compiled forward takes any
   * mixture without a new plan. Plain LoRAs only.
   */
  readonly adapterIndex?: Tensor;
  /** A hook around the adapters: the base that it is given is the layer with them. */
  readonly hook?: LayerHook;
}

export interface MergeOptions {
  /** Δ is rounded to the weight's dtype before it is added (PEFT's `safe_merge`). */
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
  private readonly methods: MethodTable;
  private readonly adapters: Map<string, AdapterState>;
  private active: readonly string[] = [];
  private disabled = false;
  private prepared: PreparedBatch | undefined;
  private merged: { readonly names: readonly string[]; readonly weights: ReadonlyMap<string, Tensor> } | undefined;

  /** @param methods what `peft_type` may be; PEFT's methods if not given */
  constructor(
    baseModel: HookedModel<Inputs, Outputs>,
    methods: MethodTable = PEFT_METHODS,
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
    { adapterName = "default", methods = PEFT_METHODS }: { readonly adapterName?: string; readonly methods?: MethodTable } = {},
  ): Promise<PeftModel<I, O>> {
    const peft = new PeftModel(model, methods);
    await peft.loadAdapter(adapter, adapterName);
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

  /** Adds an adapter from a file; the first one becomes active. @throws ConfigError if the name is taken; MatchError, ShapeError if it does not wholly fit */
  async loadAdapter(adapter: OpenedAdapter, name: string): Promise<void> {
    this.assertNew(name);
    const host = hostOf(this.baseModel);
    const options = { methods: this.methods };
    if (this.methods.get(adapter.method)?.prompt)
      return this.put(
        name,
        stateOfPrompt(adapter.config, await attachPrompt(adapter, { ...host, sizes: promptSizes(this.baseModel) }, options)),
      );
    const attached = await attachAdapter(adapter, host, options);
    this.put(name, await stateOfAttached(adapter, attached, this.baseModel));
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
  forward(inputs: Inputs, { adapterNames, adapterIndex, hook }: ForwardOptions = {}): Outputs {
    if (this.disabled) return this.baseModel.forward(inputs, hook);
    const rows = adapterNames ?? adapterIndex;
    if (rows) return this.forwardMixed(inputs, rows, hook);
    if (this.merged) return this.baseModel.withWeights(this.merged.weights).forward(inputs, hook);
    const states = this.active.map((name) => this.state(name));
    return this.adaptedBase(states).forward(withPrompts(states, inputs), around(hook, hookOf(states, inputs)));
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

  /** This model with other values in an adapter's trained tensors; it shares everything else. For functions that `grad` and `compile` trace. */
  withParameters(parameters: AdapterParameters, name: string = this.only()): PeftModel<Inputs, Outputs> {
    const copy = this.copy();
    copy.adapters.set(name, withParameters(this.state(name), parameters));
    copy.forget(name);
    return copy;
  }

  /** Puts new values into an adapter, for good. */
  setParameters(parameters: AdapterParameters, name: string = this.only()): void {
    this.assertUnmerged(name);
    this.forget(name);
    this.adapters.set(name, withParameters(this.state(name), parameters));
  }

  /** The same adapters on another version of the model. They are shared: what is added or trained here is there, too. */
  over(model: HookedModel<Inputs, Outputs>): PeftModel<Inputs, Outputs> {
    const other = new PeftModel(model, this.methods, this.adapters);
    other.active = this.active;
    other.disabled = this.disabled;
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
    this.merged = { names: adapterNames, weights: this.mergedWeights(adapterNames, safeMerge) };
  }

  /** Puts the base weights back, bit for bit: they were kept. @throws ConfigError if nothing is merged */
  unmergeAdapter(): void {
    if (!this.merged) throw new ConfigError("no adapter is merged");
    this.merged = undefined;
  }

  /** A plain model with the adapters merged into its weights. */
  mergeAndUnload(options: MergeOptions = {}): HookedModel<Inputs, Outputs> {
    if (this.merged) return this.baseModel.withWeights(this.merged.weights);
    return this.baseModel.withWeights(this.mergedWeights(options.adapterNames ?? this.active, options.safeMerge ?? false));
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
    this.put(
      name,
      await combineAdapters(
        names.map((source) => this.state(source)),
        weights,
        options,
      ),
      false,
    );
  }

  /** Numbers of parameters: those that the active adapters train, and all. */
  trainableParameters(): { readonly trainable: number; readonly all: number; readonly percent: number } {
    const count = (tensors: Iterable<Tensor>): number => [...tensors].reduce((sum, t) => sum + sizeOf(t.shape), 0);
    const states = this.active.map((name) => this.state(name));
    const trained = states.flatMap((state) => {
      const { layers, ...rest } = parametersOf(state);
      return [...Object.values(layers), ...Object.values(rest)].flatMap((params) => Object.values(params));
    });
    const own = states.flatMap((state) =>
      [...state.layers.values()].flatMap((list) => list.flatMap((a) => ownNames(a).map((n) => a.params[n]!))),
    );
    const saved = states.flatMap((state) => [...state.replaced.values()]);
    const [trainable, all] = [count(trained), count(this.baseModel.weights.values()) + count(own) + count(saved)];
    return { trainable, all, percent: all === 0 ? 0 : (100 * trainable) / all };
  }

  /** `trainable params: 921,600 || all params: 135,436,608 || trainable%: 0.6805`, as PEFT prints it. */
  describeTrainableParameters(): string {
    const { trainable, all, percent } = this.trainableParameters();
    const grouped = (n: number): string => n.toString().replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    return `trainable params: ${grouped(trainable)} || all params: ${grouped(all)} || trainable%: ${percent.toFixed(4)}`;
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

  /** The adapters of a batch's rows. @throws CapabilityError for those that cannot act on some rows only */
  private rowStates(names: readonly string[]): Map<string, AdapterState> {
    const states = new Map(names.map((name) => [name, this.state(name)]));
    for (const [name, { replaced, expected, prompt, config }] of states) {
      if (prompt || aloraTokens(config))
        throw new CapabilityError(
          `adapter "${name}" (${config.peftType}) looks at whole inputs: it cannot be used for some rows of a batch`,
        );
      if (replaced.size + expected.size > 0)
        throw new CapabilityError(
          `adapter "${name}" replaces ${[...replaced.keys(), ...expected.keys()][0]} for all rows: it cannot be used for some rows of a batch`,
        );
    }
    return states;
  }

  /** The base with what adapters replace in it, and their changes of raw parameters, which no hook sees. */
  private adaptedBase(states: readonly AdapterState[]): HookedModel<Inputs, Outputs> {
    const changes = new Map(states.flatMap(({ expected, replaced }) => [...expected, ...replaced]));
    for (const { path, layer, base } of rawParameters(this.baseModel, states)) {
      const attached = states.flatMap(({ layers }) => layers.get(path) ?? []);
      changes.set(path, mergeAll(attached, changes.get(path) ?? base.weight, false, layer.dtype));
    }
    return changes.size === 0 ? this.baseModel : this.baseModel.withWeights(changes);
  }

  private mergedWeights(names: readonly string[], safe: boolean): Map<string, Tensor> {
    const states = names.map((name) => this.state(name));
    const unmergeable = states.find(({ prompt, config }) => prompt ?? aloraTokens(config));
    if (unmergeable)
      throw new CapabilityError(`${unmergeable.config.peftType} acts on the input, not on weights: there is nothing to merge`, {
        hint: "keep it unmerged",
      });
    const merged = new Map(states.flatMap(({ expected, replaced }) => [...expected, ...replaced]));
    for (const found of this.baseModel.layers()) {
      const attached = states.flatMap(({ layers }) => layers.get(found.path) ?? []);
      if (attached.length === 0) continue;
      const name = weightName(found);
      const weight = merged.get(name) ?? found.base.weight;
      merged.set(name, mergeAll(attached, weight, safe, weight.dtype));
      const biasName = `${found.path}.bias`;
      const before = merged.get(biasName) ?? found.base.bias;
      const bias = attached.reduce((b, { method, params, context }) => mergeBias(method, b, params, context, weight), before);
      if (bias && bias !== before) merged.set(biasName, bias);
    }
    return merged;
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

/** What several adapters make of a layer, as a hook. */
function hookOf(states: readonly AdapterState[], inputs: unknown): LayerHook {
  const masks = states.map(({ config }) => activeMask(aloraTokens(config), inputs));
  return (path, layer, base, x) => {
    const attached = states.flatMap(({ layers }, i) => (layers.get(path) ?? []).map((a) => (masks[i] ? { ...a, active: masks[i] } : a)));
    return attached.length === 0 ? undefined : forwardAdapters(layer, base, attached, x);
  };
}

/** A hook over another one. */
function around(outer: LayerHook | undefined, inner: LayerHook): LayerHook {
  if (!outer) return inner;
  return (path, layer, base, x) => {
    const forward = (input: Tensor): Tensor => inner(path, layer, base, input) ?? forwardBase(layer, base, input);
    return outer(path, layer, { ...base, forward }, x) ?? forward(x);
  };
}

const aloraTokens = ({ values }: AdapterState["config"]): readonly number[] | undefined => invocationTokens(values);

function activeMask(tokens: readonly number[] | undefined, inputs: unknown): Tensor | undefined {
  if (!tokens) return undefined;
  const { inputIds } = inputs as { readonly inputIds?: Tensor };
  if (!inputIds) throw new ConfigError("an activated LoRA looks for its tokens in `inputIds`, which the inputs do not have");
  return invocationMask(inputIds, tokens);
}

/** The inputs with the prompts of the adapters in front, the last one outermost. */
function withPrompts<I>(states: readonly AdapterState[], inputs: I): I {
  return states.reduce(
    (given, { prompt }) =>
      prompt ? (withPrompt(promptOf(prompt.method, prompt.config, prompt.saved), given as unknown as PromptInputs) as unknown as I) : given,
    inputs,
  );
}

/** Adapters merged one after the other; norms are taken of the weight before all of them, as PEFT does. */
function mergeAll(attached: readonly Attached[], weight: Tensor, safe: boolean, dtype: Tensor["dtype"]): Tensor {
  const rounding = safe ? "twice" : "once";
  return attached.reduce(
    (current, { method, params, context }) =>
      mergeWeight(method, current, params, context as AdapterContext<never>, { rounding, dtype, unmerged: weight }),
    weight,
  );
}

function rawParameters(model: HookedModel<never, unknown>, states: readonly AdapterState[]): HookedLayer[] {
  return [...model.layers()].filter(({ path, layer }) => layer.kind === "parameter" && states.some(({ layers }) => layers.has(path)));
}

/** A model as `attachAdapter` sees it; a tied layer has a weight under its own name as well. */
function hostOf(model: HookedModel<never, unknown>): Parameters<typeof attachAdapter>[1] {
  const layers = new Map([...model.layers()].map((found) => [found.path, found]));
  const tensors = new Map(model.weights);
  for (const found of layers.values()) if (!tensors.has(weightName(found))) tensors.set(weightName(found), found.base.weight);
  return { layer: (path) => layers.get(path)?.layer, tensor: (name) => tensors.get(name), names: () => tensors.keys() };
}
