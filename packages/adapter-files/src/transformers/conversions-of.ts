import type { Conversion } from "./conversion.js";
import { ownEntry } from "../own-entry.js";

/** What a model's config.json says about its kind. */
export interface ModelKind {
  /** Names of classes. */
  readonly architectures?: unknown;
  readonly model_type?: unknown;
  /** Of the language model in a model of several parts, which has the fields below then. */
  readonly text_config?: ModelKind | undefined;
  readonly num_attention_heads?: unknown;
  readonly num_key_value_heads?: unknown;
  readonly head_dim?: unknown;
  readonly hidden_size?: unknown;
}

/** All lists of conversions. They take as much room as half of the program, so they are loaded when a checkpoint is seen that may need one. */
export async function allConversions(): Promise<readonly (readonly Conversion[])[]> {
  return (await import("./conversions.js")).CONVERSIONS;
}

/** How transformers renames the tensors of a model's checkpoint on loading; undefined if it does not, or does not know the model. */
export async function conversionsOf({ architectures, model_type: type }: ModelKind): Promise<readonly Conversion[] | undefined> {
  const { CONVERSIONS, OF_CLASS, OF_TYPE } = await import("./conversions.js");
  const ofClass = (Array.isArray(architectures) ? (architectures as unknown[]) : []).map((name) => ownEntry(OF_CLASS, name));
  const index = ofClass.find((found) => found !== undefined) ?? ownEntry(OF_TYPE, type);
  return index === undefined ? undefined : CONVERSIONS[index];
}
