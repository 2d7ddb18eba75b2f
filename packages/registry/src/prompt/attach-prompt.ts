import type { Params, Tensor } from "@weft/tensor-core";
import type { Prompt, PromptConfigFields, PromptMethod, PromptModel, PromptOptions } from "@weft/tensor-core/prompt";
import type { OpenedAdapter } from "@weft/adapter-files";
import type { AdapterHost } from "../attach.js";

/** A prompt on a model. */
export interface AttachedPrompt {
  readonly method: PromptMethod<PromptConfigFields>;
  /** Completed from the model. */
  readonly config: PromptConfigFields;
  /** The tensors of the file. */
  readonly saved: Params;
  /** Parameters of the model that the adapter brings its own version of (`modules_to_save`). */
  readonly replaced: ReadonlyMap<string, Tensor>;
  /** What stands in front of the input; `withPrompt(prompt, inputs)` puts it there. */
  prompt(options?: PromptOptions): Prompt;
}

/** A model that a prompt is attached to: its parameters and its sizes. */
export interface PromptHost extends Pick<AdapterHost, "tensor" | "names"> {
  readonly sizes: PromptModel;
}

/**
 * Reads an adapter of a prompt method whole, and checks it against a model.
 * @throws CapabilityError if it is no prompt; ConfigError, ShapeError, MatchError if it does not fit the model
 */
export async function attachPrompt(
  adapter: OpenedAdapter,
  host: PromptHost,
  options: { readonly allowUnknownFields?: boolean } = {},
): Promise<AttachedPrompt> {
  return (await import("../model/on-demand.js")).readPrompt(adapter, host, options);
}
