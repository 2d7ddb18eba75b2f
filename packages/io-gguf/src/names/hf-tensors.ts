import { CapabilityError } from "@weft/tensor-core";
import type { GgufFile } from "../gguf-file.js";
import type { GgufTensor } from "../read-header.js";
import type { GgufShape, GgufValues } from "./architecture.js";
import { tensorNames } from "./tensor-names.js";

/** A tensor of a GGUF file that a checkpoint of transformers has, too. */
export interface HfTensor {
  /** As transformers has it. */
  readonly name: string;
  readonly tensor: GgufTensor;
  /** Of the values in their order in the file; that of the checkpoint, unless the matrix is `transposed`. */
  readonly shape: readonly number[];
  /** Of how many heads its rows are, where they lie in the order of llama.cpp (`permuteHeads`). */
  readonly heads?: number;
  /** The matrix is `[out, in]`, and `[in, out]` in the checkpoint. */
  readonly transposed?: boolean;
  /** What the values are of those of the checkpoint, if not the same (`valuesOn`). */
  readonly values?: GgufValues;
}

/** Tensors that a checkpoint of transformers does not have: its config has what they say. */
const OWN = new Set(["rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"]);

const shapeIn = (form: GgufShape | undefined, shape: readonly number[]): readonly number[] =>
  form === undefined ? shape : form === "kernel" ? [shape[0]!, 1, ...shape.slice(1)] : [shape.reduce((a, b) => a * b, 1)];

/** The shape in a GGUF file of a tensor of a checkpoint. @param groups of the channels, for `groups` */
export function shapeInGguf(form: GgufShape | undefined, shape: readonly number[], groups: number): readonly number[] {
  if (form === "kernel") return [shape[0]!, ...shape.slice(2)];
  if (form === "column") return [...shape, 1];
  return form === "groups" ? [groups, shape[0]! / groups] : shape;
}

/**
 * The tensors of a GGUF file in its order, under the names of transformers.
 * @throws CapabilityError kind `unsupported-model` for tensors that a checkpoint does not have; ConfigError of the same kind for architectures without names
 */
export function hfTensors({ location, metadata, tensors }: GgufFile): HfTensor[] {
  const architecture = String(metadata.get("general.architecture")?.value);
  const names = tensorNames(architecture);
  const count = (key: string): number => Number(metadata.get(`${architecture}.attention.${key}`)?.value);
  const heads = { "q-heads": count("head_count"), "k-heads": count("head_count_kv") || count("head_count") };
  return [...tensors].flatMap(([own, tensor]): HfTensor[] => {
    if (OWN.has(own)) return [];
    const named = names.toHf(own);
    if (!named)
      throw new CapabilityError(`${own}: a checkpoint of ${architecture} has no such tensor`, {
        kind: "unsupported-model",
        tensor: own,
        file: location,
      });
    const { name, placement, values, form } = named;
    return [
      {
        name,
        tensor,
        shape: shapeIn(form, tensor.shape),
        ...(placement === "transposed" ? { transposed: true } : placement && { heads: heads[placement] }),
        ...(values && { values }),
      },
    ];
  });
}
