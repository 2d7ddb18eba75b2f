import { formatError } from "./format-error.js";
import type { WeightSource } from "./weight-source.js";

/**
 * Names of the tensors of shape [0], which DeepSpeed ZeRO-3 leaves where each process holds a part of the weight; no layer has such a parameter.
 * A name without a dot is no layer's: programs mark their files with such (`lora_controlnet`, `scaled_fp8`).
 */
export function zero3Leftovers(source: Pick<WeightSource, "names" | "info">): string[] {
  return [...source.names()].filter((name) => name.includes(".") && source.info(name).shape.join() === "0");
}

/** What is wrong with a file that has such tensors, and what to do about it. */
export function describeZero3(names: readonly string[], total: number): { readonly message: string; readonly hint: string } {
  return {
    message: `${names.length} of ${total} tensors are empty (shape [0]), as DeepSpeed ZeRO-3 leaves them: each process held a part of these weights, and this file holds none`,
    hint: "gather the weights with zero_to_fp32.py of the checkpoint's folder, or save with stage3_gather_16bit_weights_on_model_save: true",
  };
}

/** Refuses a file whose weights were never gathered from the processes that trained them. @throws FormatError kind `zero3-leftovers` */
export function refuseZero3(source: Pick<WeightSource, "names" | "info" | "location">): void {
  const empty = zero3Leftovers(source);
  if (empty.length === 0) return;
  const { message, hint } = describeZero3(empty, [...source.names()].length);
  throw formatError("zero3-leftovers", source.location, message, empty[0], hint);
}
