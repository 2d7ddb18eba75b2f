import { ConfigError } from "@weft/tensor-core";
import type { ArchitectureNames, GgufPlacement } from "./architecture.js";
import { BERT } from "./bert.js";
import { GPT2 } from "./gpt2.js";
import { LLAMA } from "./llama.js";
import { QWEN2, QWEN3 } from "./qwen.js";

/** Architectures by the name that GGUF files have for them. */
const ARCHITECTURES: ReadonlyMap<string, ArchitectureNames> = new Map(
  [LLAMA, QWEN2, QWEN3, GPT2, BERT].map((names) => [names.architecture, names]),
);

/** A tensor on the other side. */
export interface NamedTensor {
  readonly name: string;
  /** How its weight lies in the GGUF file, if not as in the checkpoint. */
  readonly placement?: GgufPlacement;
}

/** The names of a model's tensors in GGUF files and in checkpoints of transformers. */
export interface TensorNames {
  /** A tensor of a GGUF file in the checkpoint; undefined for what a checkpoint does not have, as `rope_freqs.weight`. */
  toHf(name: string): NamedTensor | undefined;
  /** A tensor of a checkpoint, with or without the prefix of a model with a head, in a GGUF file; undefined for what is none there. */
  toGguf(name: string): NamedTensor | undefined;
}

const NAME = /^(.*?)(?:\.(\d+)(\..*))?\.(weight|bias)$/;

/**
 * Names of an architecture.
 * @param architecture `general.architecture` of a GGUF file
 * @throws ConfigError kind `unsupported-model`
 */
export function tensorNames(architecture: string): TensorNames {
  const found = ARCHITECTURES.get(architecture);
  if (!found)
    throw new ConfigError(`architecture ${JSON.stringify(architecture)}: the names of its tensors are not known`, {
      kind: "unsupported-model",
      hint: `known are ${[...ARCHITECTURES.keys()].join(", ")}`,
    });
  const { tensors, prefix, biasToo } = found;
  const rename = (
    from: ReadonlyMap<string, readonly [name: string, placement: GgufPlacement | undefined]>,
    name: string,
  ): NamedTensor | undefined => {
    const [, head, layer, rest, kind] = NAME.exec(name) ?? [];
    const to = head === undefined ? undefined : from.get(layer === undefined ? head : `${head}.N${rest}`);
    if (!to || to[0].includes(".N.") !== (layer !== undefined)) return undefined;
    const placement = kind === "weight" || biasToo ? to[1] : undefined;
    return { name: `${layer === undefined ? to[0] : to[0].replace("N", layer)}.${kind}`, ...(placement && { placement }) };
  };
  const gguf = new Map(tensors.map(([theirs, hf, placement]) => [theirs, [hf, placement] as const]));
  const hf = new Map(tensors.map(([theirs, ours, placement]) => [ours, [theirs, placement] as const]));
  return { toHf: (name) => rename(gguf, name), toGguf: (name) => rename(hf, name) ?? rename(hf, prefix + name) };
}
