import { ConfigError } from "@weft/tensor-core";
import type { ArchitectureNames, GgufDifference, NamePair } from "./architecture.js";
import { BERT } from "./bert.js";
import { GEMMA2, GEMMA3 } from "./gemma.js";
import { GPT2 } from "./gpt2.js";
import { LLAMA, SMOLLM3 } from "./llama.js";
import { MAMBA, MAMBA2 } from "./mamba.js";
import { PHI3 } from "./phi3.js";
import { QWEN2, QWEN3 } from "./qwen.js";

/** Architectures by the name that GGUF files have for them. */
const ARCHITECTURES: ReadonlyMap<string, ArchitectureNames> = new Map(
  [LLAMA, QWEN2, QWEN3, SMOLLM3, PHI3, GEMMA2, GEMMA3, MAMBA, MAMBA2, GPT2, BERT].map((names) => [names.architecture, names]),
);

/** A tensor on the other side, and what it differs in. */
export interface NamedTensor extends GgufDifference {
  readonly name: string;
}

/** The names of a model's tensors in GGUF files and in checkpoints of transformers. */
export interface TensorNames {
  /** A tensor of a GGUF file in the checkpoint; undefined for what a checkpoint does not have, as `rope_freqs.weight`. */
  toHf(name: string): NamedTensor | undefined;
  /** A tensor of a checkpoint, with or without the prefix of a model with a head, in a GGUF file; undefined for what is none there. */
  toGguf(name: string): NamedTensor | undefined;
  /** Whether GGUF files have none of a tensor of a checkpoint: one of which `nothing` is lost, or one of `heads` that files are not used with. */
  leftOut(name: string): "nothing" | "heads" | undefined;
}

/** Names on the one side, with those on the other. */
type Renames = ReadonlyMap<string, readonly [name: string, difference: GgufDifference | undefined]>;
type Side = "toHf" | "toGguf";

/** What stands before the kind of a tensor, and the number of a layer in a name. */
const KIND = /^(.*)\.(weight|bias)$/;
const LAYER = /^(.*?)\.(\d+)\./;

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
  const { tensors, prefix, biasToo, whole = [], oldEnds = [], leftOut = {} } = found;
  const [parts, wholes] = [bothWays(tensors), bothWays(whole)];
  const rename = (side: Side, name: string): NamedTensor | undefined => {
    const alone = renamed(wholes[side], name);
    if (alone) return alone;
    const [, stem, kind] = KIND.exec(name) ?? [];
    const to = stem === undefined ? undefined : renamed(parts[side], stem);
    if (!to) return undefined;
    const { name: other, ...difference } = to;
    return { name: `${other}.${kind}`, ...((kind === "weight" || biasToo) && difference) };
  };
  const now = (name: string): string => {
    const end = oldEnds.find(([old]) => name.endsWith(old));
    return end ? name.slice(0, -end[0].length) + end[1] : name;
  };
  return {
    toHf: (name) => rename("toHf", name),
    toGguf: (name) => rename("toGguf", now(name)) ?? rename("toGguf", prefix + now(name)),
    leftOut: (name) => (["nothing", "heads"] as const).find((kind) => leftOut[kind]?.test(name)),
  };
}

const bothWays = (pairs: readonly NamePair[]): Readonly<Record<Side, Renames>> => ({
  toHf: new Map(pairs.map(([gguf, hf, difference]) => [gguf, [hf, difference]])),
  toGguf: new Map(pairs.map(([gguf, hf, difference]) => [hf, [gguf, difference]])),
});

/** A name by the table, in which `N` is the number of a layer. */
function renamed(table: Renames, name: string): NamedTensor | undefined {
  const [, before, layer] = LAYER.exec(name) ?? [];
  const to = table.get(layer === undefined ? name : `${before}.N${name.slice(before!.length + 1 + layer.length)}`);
  if (!to || to[0].includes(".N.") !== (layer !== undefined)) return undefined;
  return { name: layer === undefined ? to[0] : to[0].replace("N", layer), ...to[1] };
}
