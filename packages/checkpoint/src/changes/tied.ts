import type { WeightSource } from "@weft/io-safetensors";
import type { ByteReader } from "../source/byte-reader.js";
import { renamedSource } from "../source/renamed-source.js";
import { sameData } from "./same-data.js";

/** Two names of one matrix: the input embedding and the layer that gives the logits. */
export interface Tie {
  readonly embedding: string;
  readonly head: string;
  /** The checkpoint holds the embedding only. */
  readonly aliased: boolean;
  /** The config says tied, the checkpoint holds two different matrices: transformers 5 leaves them apart, earlier releases did not. */
  readonly apart: boolean;
  /** Encoder and decoder share the embedding, and T5's logits are scaled only while it is tied: a flag alone does not untie it. */
  readonly encoderDecoder: boolean;
}

/** What a config.json says. */
export type ModelConfig = { readonly [field: string]: unknown };

const EMBEDDING = /(^|\.)(embed_tokens|wte|word_embeddings|embed_in|tok_embeddings|shared)\.weight$/;
const HEAD = /(^|\.)(lm_head|embed_out|lm_head\.decoder|cls\.predictions\.decoder)\.weight$|^(output|proj_out)\.weight$/;
/** Names of a head that a checkpoint leaves out, by architecture, the first that fits; models without a head are none of these. */
const HEADS: readonly (readonly [architecture: RegExp, head: string])[] = [
  [/^GPTNeoXForCausalLM$/, "embed_out.weight"],
  [/^Whisper/, "proj_out.weight"],
  [/Roberta.*(MaskedLM|CausalLM)$/, "lm_head.decoder.weight"],
  [/Bert.*(MaskedLM|PreTraining|LMHeadModel)$/, "cls.predictions.decoder.weight"],
  [/(CausalLM|LMHeadModel|ConditionalGeneration)$/, "lm_head.weight"],
];

/** The input embedding and the layer that gives the logits, where a checkpoint has one of each under their usual names. */
export function vocabularyPair(base: Pick<WeightSource, "names">): { readonly embedding?: string; readonly head?: string } {
  const names = [...base.names()];
  const [embeddings, heads] = [names.filter((name) => EMBEDDING.test(name)), names.filter((name) => HEAD.test(name))];
  return { ...(embeddings.length === 1 && { embedding: embeddings[0]! }), ...(heads.length === 1 && { head: heads[0]! }) };
}

/**
 * Finds tied embeddings as transformers ties them: where the config says so, for a model of text and images the config of its text part, too; where it is
 * silent, if a model with a head has none in the file, or the same matrix twice.
 * @param wanted paths of modules that adapters change or replace
 */
export async function findTie(
  base: WeightSource,
  config: ModelConfig | undefined,
  wanted: ReadonlySet<string>,
  files: ByteReader,
): Promise<Tie | undefined> {
  const declared = isTied(config);
  const { embedding, head: present } = vocabularyPair(base);
  if (declared === false || embedding === undefined) return undefined;
  const rest = { embedding, encoderDecoder: config?.is_encoder_decoder === true };
  if (present !== undefined) {
    const asked = [embedding, present].some((name) => wanted.has(pathOf(name)));
    const same = asked ? await sameData(base.info(embedding), base.info(present), files) : declared === true;
    return same || declared ? { ...rest, head: present, aliased: false, apart: !same } : undefined;
  }
  const head = headOf(embedding, config, wanted);
  return head === undefined ? undefined : { ...rest, head, aliased: true, apart: false };
}

/** Undefined where no config says. */
function isTied(config: ModelConfig | undefined): boolean | undefined {
  const text = config?.text_config as ModelConfig | undefined;
  const found = [config?.tie_word_embeddings, text?.tie_word_embeddings].find((value) => typeof value === "boolean");
  return found as boolean | undefined;
}

/** The name that an absent head has: as the adapter has it, else as the architecture does. */
function headOf(embedding: string, config: ModelConfig | undefined, wanted: ReadonlySet<string>): string | undefined {
  const asked = [...wanted].find((path) => HEAD.test(`${path}.weight`));
  if (asked !== undefined) return `${asked}.weight`;
  const architectures = Array.isArray(config?.architectures) ? config.architectures.map(String) : [];
  const found = HEADS.find(([pattern]) => architectures.some((name) => pattern.test(name)))?.[1];
  const head = found ?? (config && isTied(config) ? "lm_head.weight" : undefined);
  // Models of text and images before transformers 4.52 are two models, with the head in the second.
  return head !== undefined && embedding.startsWith("language_model.model.") ? `language_model.${head}` : head;
}

const pathOf = (name: string): string => name.slice(0, name.lastIndexOf("."));

/** The base with the head under its own name, reading the embedding's data. */
export function withAlias(base: WeightSource, tie: Tie | undefined): WeightSource {
  if (!tie?.aliased) return base;
  return renamedSource(base, new Map([...[...base.names()].map((name) => [name, name] as const), [tie.head, tie.embedding]]));
}
