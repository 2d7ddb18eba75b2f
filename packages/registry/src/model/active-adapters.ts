import { type PromptInputs, promptOf, type PromptPass, withPrompt } from "@weft/tensor-core/prompt";
import {
  type ActivePart,
  type AdapterContext,
  assertInput,
  type Attached,
  ConfigError,
  type Draws,
  drawsOf,
  dropped,
  forwardAdapters,
  forwardBase,
  greaterEqual,
  iota,
  type Params,
  reshape,
  type Tensor,
} from "@weft/tensor-core";
import type { AdapterState, PromptState } from "./adapter-state.js";
import type { HookedModel, LayerHook } from "./hooked-model.js";

/** What a forward takes besides the model's inputs: which adapters act on which rows, and whether it trains. */
export interface ForwardOptions extends PromptPass {
  /** One adapter's name per row of the batch, `"__base__"` for none, instead of the active adapters. */
  readonly adapterNames?: readonly string[];
  /**
   * The same by number, i32 [batch]: place in the list that was given to `prepareBatch`, -1 for none. It is data: a compiled forward takes any
   * mixture without a new plan. LoRAs, and LoHa and LoKr as such, are one product; adapters of other methods run on all rows, of which theirs are taken.
   */
  readonly adapterIndex?: Tensor;
  /**
   * The pass trains: dropout and noise act as the configs of the adapters ask for, drawn from this key (`randomKey(step)`); the same key gives the same
   * draws. It is data: give it to a compiled step as an argument. Without it, or null, nothing is dropped.
   */
  readonly dropoutKey?: Tensor | null;
  /** The task of each row, i32 [batch], for adapters of several tasks: Poly, multitask prompts. */
  readonly taskIds?: Tensor;
  /**
   * Which token of each row, counted in this pass, is the first that the adapter acts on, i32 [batch]: for adapters that act from their invocation tokens on (aLoRA), which
   * a pass over a cache does not see. `PeftModel.actsFrom` tells it of the whole sequence.
   */
  readonly actsFrom?: Tensor;
  /** A hook around the adapters: the base that it is given is the layer with them. */
  readonly hook?: LayerHook;
}

/** What several adapters make of a layer, as a hook. */
function hookOf(states: readonly AdapterState[], passes: readonly Pass[]): LayerHook {
  return (path, layer, base, x) => {
    const attached = states.flatMap(({ layers }, i) => inPass(layers.get(path) ?? [], passes[i]!));
    // Raw parameters are changed in the model's weights: see `adaptedBase`.
    if (attached.length > 0) assertInput(layer, x, path);
    return attached.length === 0 || layer.kind === "parameter" ? undefined : forwardAdapters(layer, base, attached, x);
  };
}

/** What an adapter's layers get to know of one pass over the model. */
export interface Pass extends Pick<AdapterContext<never>, "taskIds" | "pass">, Partial<Draws> {
  readonly active?: Tensor;
}

/** A layer's adapters as they act in a pass. */
export const inPass = (attached: readonly Attached[], { active, ...call }: Pass): Attached[] =>
  attached.map(({ context, ...one }) => ({ ...one, ...(active && { active }), context: { ...context, ...call } }));

/** Prepares a pass over a model for an adapter. @param draws of a training pass */
export function beginPass<I>(
  model: HookedModel<I, unknown>,
  state: AdapterState,
  inputs: I,
  { taskIds, actsFrom }: Pick<ActiveOptions, "taskIds" | "actsFrom">,
  draws?: Draws,
): Pass {
  const active = activeMask(state, inputs, actsFrom);
  const call = { ...(active && { active }), ...(taskIds && { taskIds }), ...draws };
  const first = [...state.layers.values()][0]?.[0];
  if (!first?.method.begin) return call;
  const forward = (pass: unknown): unknown => model.forward(inputs, hookOf([state], [{ ...call, pass }]));
  return {
    ...call,
    pass: first.method.begin(
      { inputs, forward, ...(draws && { mask: draws.mask }), ...(model.mirror && { mirror: model.mirror.bind(model) }) },
      state.shared,
      state.config.values as never,
    ),
  };
}

/** What a pass with the active adapters is told. */
type ActiveOptions = {
  readonly [name in "taskIds" | "actsFrom" | "hook" | "dropoutKey" | "isFirstIteration"]?: ForwardOptions[name] | undefined;
};

/** A model's outputs with adapters around its layers and in front of its inputs. @param model with the raw parameters as the adapters make them */
export function forwardActive<I, O>(model: HookedModel<I, O>, states: readonly AdapterState[], inputs: I, options: ActiveOptions): O {
  const { hook, dropoutKey } = options;
  const draws = dropoutKey ? drawsOf(dropoutKey) : undefined;
  const given = withPrompts(states, inputs, options, draws);
  const passes = states.map((state) => beginPass(model, state, given, options, draws));
  return model.forward(given, around(hook, hookOf(states, passes)));
}

/** A hook over another one. */
export function around(outer: LayerHook | undefined, inner: LayerHook): LayerHook {
  if (!outer) return inner;
  return (path, layer, base, x) => {
    const forward = (input: Tensor): Tensor => inner(path, layer, base, input) ?? forwardBase(layer, base, input);
    return outer(path, layer, { ...base, forward }, x) ?? forward(x);
  };
}

/** Where an adapter acts that does not act on all positions. */
export const activePartOf = ({ layers, config }: AdapterState): ActivePart | undefined =>
  [...layers.values()][0]?.[0]?.method.active?.(config.values as never);

/** Whether an adapter acts on some positions of a sequence only: what it does depends on the tokens. */
export const actsInPlaces = (state: AdapterState): boolean => activePartOf(state) !== undefined;

function activeMask(state: AdapterState, inputs: unknown, actsFrom: Tensor | undefined): Tensor | undefined {
  const part = activePartOf(state);
  if (!part) return undefined;
  const { inputIds, cache } = inputs as { readonly inputIds?: Tensor; readonly cache?: unknown };
  if (!inputIds)
    throw new ConfigError(`${state.config.peftType} looks for its invocation tokens in \`inputIds\`, which the inputs do not have`);
  if (!actsFrom && cache !== undefined)
    throw new ConfigError(
      `${state.config.peftType} looks for its invocation tokens in the whole sequence, of which a pass over a cache sees a part`,
      {
        hint: "give `actsFrom`, which `peft.actsFrom(ids)` tells of the whole sequence",
      },
    );
  if (!actsFrom) return part.mask(inputIds);
  const [batch, length] = inputIds.shape as [number, number];
  return greaterEqual(iota([batch, length, 1], 1), reshape(actsFrom, [batch, 1, 1]));
}

/** What a prompt puts in front: in training, its encoder drops as its config says. */
function savedOf({ method, config, saved, trained }: PromptState, draws: Draws | undefined): Params {
  const rate = (config as { readonly encoderDropout?: number }).encoderDropout ?? 0;
  return draws && trained && rate > 0 ? method.encode(trained, config, (t) => dropped(t, rate, draws.mask)) : saved;
}

/** The inputs with the prompts of the adapters in front, the last one outermost. */
function withPrompts<I>(
  states: readonly AdapterState[],
  inputs: I,
  { taskIds, isFirstIteration }: ActiveOptions,
  draws: Draws | undefined,
): I {
  assertOneOfEachKind(states);
  return states.reduce((given, { prompt }) => {
    if (!prompt) return given;
    const read = given as unknown as PromptInputs;
    assertFirstOrCached(prompt, read, isFirstIteration);
    const front = promptOf(prompt.method, prompt.config, savedOf(prompt, draws), taskIds ? { tasks: taskIds } : {});
    return withPrompt(front, read, { isFirstIteration }) as unknown as I;
  }, inputs);
}

/** Virtual tokens of one adapter, and keys and values of another, go together; two of a kind would take each other's place. */
function assertOneOfEachKind(states: readonly AdapterState[]): void {
  const methods = states.flatMap(({ prompt }) => prompt?.method ?? []);
  const second = methods.find(({ kind }, i) => methods.findIndex((other) => other.kind === kind) < i);
  if (second)
    throw new ConfigError(`two active adapters (${methods.map(({ name }) => name).join(", ")}) put prompts in front of the input`, {
      hint: "choose one of them by setAdapter",
    });
}

/** A pass over a cache has to say whether it is the first: `position` is data, which a plan does not know. */
function assertFirstOrCached({ method }: PromptState, { position }: PromptInputs, isFirstIteration: boolean | undefined): void {
  if (position && isFirstIteration === undefined)
    throw new ConfigError(`${method.name} puts its prompt into the cache once: a pass over a cache has to say whether it is the first`, {
      hint: "forward(inputs, { isFirstIteration: true }), then false",
    });
  if (!position && isFirstIteration === false)
    throw new ConfigError(`${method.name}: a pass without a cache is always the first: nothing holds the prompt`, {
      hint: "give cache and position, or leave isFirstIteration out",
    });
}

/** How many positions the prompts of adapters take in front of the input. */
export const virtualTokensOf = (states: readonly AdapterState[]): number =>
  states.reduce((sum, { prompt }) => sum + (prompt?.config.numVirtualTokens ?? 0), 0);

/** Checks that tasks are given to those that ask for them. @throws ConfigError */
export function assertTasks(taskIds: Tensor | undefined, states: readonly AdapterState[], names: readonly string[]): void {
  if (taskIds && !states.some(takesTasks))
    throw new ConfigError(`taskIds were given, but none of the active adapters (${names.join(", ")}) has tasks`);
}

/** Whether an adapter asks for the task of each row. */
export function takesTasks({ prompt, layers }: AdapterState): boolean {
  return prompt?.method.takesTasks ?? [...layers.values()].flat().some(({ method }) => method.takesTasks);
}
