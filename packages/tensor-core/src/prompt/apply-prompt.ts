import type { Params } from "../adapter/method.js";
import { ShapeError } from "../errors.js";
import type { Tensor } from "../graph.js";
import { cast } from "../ops/cast.js";
import { full, ones } from "../ops/create.js";
import { add } from "../ops/elementwise.js";
import { concat, reshape, slice } from "../ops/movement.js";
import type { Shape } from "../shape.js";
import type { PromptConfigFields } from "./prompt-config.js";
import { type KeyValues, keyValuesOf } from "./key-values.js";
import { PROMPT, type PromptMethod, totalTokens } from "./prompt-method.js";

/** What stands in front of a model's input: one of the two. */
export interface Prompt {
  /** How many positions. */
  readonly count: number;
  /** Embeddings in front of those of the tokens, [1 or batch, count, token dim]. */
  readonly virtualTokens?: Tensor;
  /** Keys and values in front, per layer. */
  readonly pastKeyValues?: readonly KeyValues[];
}

/** For which tasks, and for which part of an encoder-decoder, a prompt is made. */
export interface PromptOptions {
  /** The task of each row, i32 [batch]; only multitask prompts take it, and they need it. */
  readonly tasks?: Tensor;
  /** Of an encoder-decoder's virtual tokens: those of the encoder (0, as if not given) or of the decoder (1). */
  readonly submodule?: 0 | 1;
}

/** Checks the shapes of a file's tensors. @throws ShapeError naming the one that is missing or does not have the shape that the config gives it */
export function assertSaved<C extends PromptConfigFields>(
  method: PromptMethod<C>,
  config: C,
  shapeOf: (name: string) => Shape | undefined,
): void {
  for (const [name, shape] of Object.entries(method.saved(config))) {
    const found = shapeOf(name);
    if (found?.join() !== shape.join())
      throw new ShapeError(`${method.name}: ${name} is ${found ? `[${found}]` : "missing"}, expected [${shape}]`, { tensor: name });
  }
}

/**
 * What an adapter's tensors put in front of the input.
 * @param saved the tensors of the file, or what `method.encode` makes of parameters in training
 * @throws ShapeError naming the tensor that is missing or does not have the shape that the config gives it
 */
export function promptOf<C extends PromptConfigFields>(
  method: PromptMethod<C>,
  config: C,
  saved: Params,
  { tasks, submodule = 0 }: PromptOptions = {},
): Prompt {
  assertSaved(method, config, (name) => saved[name]?.shape);
  const flat = method.prompt?.(saved, config, tasks) ?? saved[PROMPT]!;
  const count = config.numVirtualTokens;
  if (method.kind === "keyValues") return { count, pastKeyValues: keyValuesOf(flat, config) };
  const rows = reshape(flat, [-1, totalTokens(config), config.tokenDim]);
  return { count, virtualTokens: slice(rows, [undefined, [submodule * count, (submodule + 1) * count]]) };
}

/** Inputs of a model that a prompt changes. */
export interface PromptInputs {
  /** Token ids, i32 [batch, length]. */
  readonly inputIds: Tensor;
  /** 1 where a token counts, 0 where it is padding; [batch, length]. */
  readonly attentionMask?: Tensor | undefined;
  /** [batch or 1, length]. */
  readonly positionIds?: Tensor | undefined;
  /** Of a pass over a cache: how many tokens were read before, i32 []. */
  readonly position?: Tensor | undefined;
}

/** Where a pass stands among those over one cache. */
export interface PromptPass {
  /** False where the cache holds the prompt from an earlier pass; true if not given. */
  readonly isFirstIteration?: boolean | undefined;
}

/**
 * A model's inputs with a prompt in front, by PEFT's rules: the attention mask gets ones in front (also before padding on the left);
 * positions are shifted by keys and values in front, and dropped where virtual tokens are, so that the model numbers all from 0. Over a cache only the first
 * pass gets the prompt itself; mask and `position` count tokens alone, and get the prompt's in front in every pass.
 * @see peft `peft_model.py` prepare_inputs_for_generation
 */
export function withPrompt<I extends PromptInputs>(
  { count, virtualTokens, pastKeyValues }: Prompt,
  inputs: I,
  { isFirstIteration = true }: PromptPass = {},
): Omit<I, keyof PromptInputs> & PromptInputs & Omit<Prompt, "count"> {
  const { attentionMask: mask, positionIds: positions, position } = inputs;
  // Virtual tokens are positions of the first pass itself.
  const isBehind = pastKeyValues !== undefined || !isFirstIteration;
  return {
    ...inputs,
    attentionMask: mask && concat([ones([mask.shape[0]!, count], mask.dtype), mask], 1),
    positionIds: pastKeyValues && positions && add(positions, count),
    ...(position && { position: isBehind ? add(position, count) : position }),
    ...(isFirstIteration && virtualTokens && { virtualTokens }),
    ...(isFirstIteration && pastKeyValues && { pastKeyValues }),
  };
}

/** Labels [batch, length] as they belong to the logits: -100, which the loss leaves out, at virtual tokens. */
export function promptLabels({ count, virtualTokens }: Prompt, labels: Tensor): Tensor {
  return virtualTokens ? concat([full([labels.shape[0]!, count], -100, "i32"), cast(labels, "i32")], 1) : labels;
}
