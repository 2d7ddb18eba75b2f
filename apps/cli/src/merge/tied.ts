import type { LocatedTensor, WeightSource } from "@weft/io-safetensors";

/** Two names of one matrix: the input embedding and the layer that gives the logits. */
export interface Tie {
  readonly embedding: string;
  readonly head: string;
  /** The checkpoint holds the embedding only. */
  readonly aliased: boolean;
}

const EMBEDDING = /(^|\.)(embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|shared)\.weight$/;
const HEADS = ["lm_head.weight", "embed_out.weight", "output.weight"];

/**
 * Finds tied embeddings: the config says so, or it is silent and the checkpoint has an embedding but no head that the adapter asks for.
 * @param wanted tensor names that the adapter changes or replaces
 */
export function findTie(
  base: WeightSource,
  config: { readonly [field: string]: unknown } | undefined,
  wanted: (name: string) => boolean,
): Tie | undefined {
  const declared = config?.tie_word_embeddings;
  if (declared === false) return undefined;
  const embeddings = [...base.names()].filter((name) => EMBEDDING.test(name));
  if (embeddings.length !== 1) return undefined;
  const present = HEADS.find((name) => base.has(name));
  if (present !== undefined) return declared === true ? { embedding: embeddings[0]!, head: present, aliased: false } : undefined;
  const head = HEADS.find(wanted) ?? (declared === true ? HEADS[0]! : undefined);
  return head === undefined ? undefined : { embedding: embeddings[0]!, head, aliased: true };
}

/** The base with the head under its own name, reading the embedding's data. */
export function withAlias(base: WeightSource, tie: Tie | undefined): WeightSource {
  if (!tie?.aliased) return base;
  const real = (name: string): string => (name === tie.head ? tie.embedding : name);
  return {
    ...base,
    location: base.location,
    names: () => [...base.names(), tie.head],
    has: (name) => base.has(real(name)),
    info: (name): LocatedTensor => ({ ...base.info(real(name)), name }),
    read: (name, rows) => base.read(real(name), rows),
  };
}
