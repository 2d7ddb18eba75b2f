import { CapabilityError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";
import type { GgufTensor } from "../read-header.js";
import { tensorNames } from "./tensor-names.js";

/** A tensor of a GGUF file that a checkpoint of transformers has, too. */
export interface HfTensor {
  /** As transformers has it. */
  readonly name: string;
  readonly tensor: GgufTensor;
  /** Of how many heads its rows are, where they lie in the order of llama.cpp (`permuteHeads`). */
  readonly heads?: number;
  /** The matrix is `[out, in]`, and `[in, out]` in the checkpoint. */
  readonly transposed?: boolean;
}

/** Tensors that a checkpoint of transformers does not have. */
const OWN = new Set(["rope_freqs.weight"]);

/**
 * The tensors of a GGUF file in its order, under the names of transformers.
 * @throws CapabilityError kind `unsupported-model` for tensors that a checkpoint does not have; ConfigError of the same kind for architectures without names
 */
export function hfTensors({ location, metadata, tensors }: GgufFile): HfTensor[] {
  const architecture = String(metadata.get("general.architecture")?.value);
  const names = tensorNames(architecture);
  const count = (key: string): number => Number(metadata.get(`${architecture}.attention.${key}`)?.value);
  const heads = { "q-heads": count("head_count"), "k-heads": count("head_count_kv") || count("head_count") };
  return [...tensors].flatMap(([name, tensor]): HfTensor[] => {
    if (OWN.has(name)) return [];
    const named = names.toHf(name);
    if (!named)
      throw new CapabilityError(`${name}: a checkpoint of ${architecture} has no such tensor`, {
        kind: "unsupported-model",
        tensor: name,
        file: location,
      });
    const { placement } = named;
    if (placement === undefined) return [{ name: named.name, tensor }];
    return [{ name: named.name, tensor, ...(placement === "transposed" ? { transposed: true } : { heads: heads[placement] }) }];
  });
}
