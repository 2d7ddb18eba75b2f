import {
  cast,
  ConfigError,
  type FieldTable,
  gather,
  oneOf,
  opaque,
  type Params,
  tensor,
  type Tensor,
  type TorchGenerator,
} from "@weft/tensor-core";
import {
  EMBEDDING,
  embeddingOf,
  PROMPT,
  PROMPT_FIELDS,
  type PromptConfigFields,
  type PromptMethod,
  type PromptSource,
  text,
  totalTokens,
} from "@weft/tensor-core/prompt";

/** PEFT's `PromptTuningConfig`. */
export interface PromptTuningConfigFields extends PromptConfigFields {
  readonly promptTuningInit: "TEXT" | "SAMPLE_VOCAB" | "RANDOM";
  readonly promptTuningInitText: string | null;
  readonly tokenizerNameOrPath: string | null;
  readonly tokenizerKwargs: object | null;
}

/** Fields of prompt tuning beside those of all prompts. @see peft `tuners/prompt_tuning/config.py` */
export const INIT_FIELDS: FieldTable = {
  ...PROMPT_FIELDS,
  prompt_tuning_init: oneOf("RANDOM", ["TEXT", "SAMPLE_VOCAB", "RANDOM"]),
  prompt_tuning_init_text: text(),
  tokenizer_name_or_path: text(),
  tokenizer_kwargs: opaque(),
};

/** PEFT's checks of the init. @throws ConfigError */
export function checkInit(values: { readonly [field: string]: unknown }): void {
  const isText = values["promptTuningInit"] === "TEXT";
  const lacking =
    isText &&
    [
      ["tokenizer_name_or_path", "tokenizerNameOrPath"],
      ["prompt_tuning_init_text", "promptTuningInitText"],
    ].find(([, key]) => !values[key!]);
  if (lacking) throw new ConfigError(`prompt_tuning_init is "TEXT", which needs ${lacking[0]}`, { kind: "config-schema" });
  if (values["tokenizerKwargs"] && !isText)
    throw new ConfigError('tokenizer_kwargs is for prompt_tuning_init "TEXT" only', { kind: "config-schema" });
}

/** Rows of the word embeddings as f32 constants. @throws ConfigError without them */
export async function wordRows(ids: ArrayLike<number>, { wordEmbeddings: table }: PromptSource, why: string): Promise<Tensor> {
  if (!table) throw new ConfigError(`${why} takes rows of the model's word embeddings`, { hint: "give them as wordEmbeddings" });
  const [vocabulary] = table.shape as [number];
  const bad = Array.from(ids).find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (bad !== undefined) throw new ConfigError(`${why}: token ${bad} is not in the vocabulary of ${vocabulary}`);
  const rows = cast(gather(table, tensor(Int32Array.from(ids))), "f32");
  return tensor((await rows.data()) as Float32Array, { shape: rows.shape });
}

/** Where the embedding starts: random, rows of the vocabulary drawn at random (torch.randint), or those of a text, repeated or cut. */
export async function startEmbedding(
  drawn: Params,
  config: PromptConfigFields & { readonly promptTuningInit: string },
  generator: TorchGenerator,
  source: PromptSource,
): Promise<Params> {
  const count = totalTokens(config);
  const init = config.promptTuningInit;
  if (init !== "SAMPLE_VOCAB" && init !== "TEXT") return drawn;
  const { textIds = [], wordEmbeddings } = source;
  if (init === "TEXT" && textIds.length === 0)
    throw new ConfigError('prompt_tuning_init "TEXT" takes the token ids of prompt_tuning_init_text', { hint: "give them as textIds" });
  const pick = (i: number): number =>
    init === "TEXT" ? textIds[i % textIds.length]! : generator.nextUint32() % (wordEmbeddings?.shape[0] ?? 1);
  const ids = Array.from({ length: count }, (_, i) => pick(i));
  return { ...drawn, [EMBEDDING]: await wordRows(ids, source, `prompt_tuning_init "${init}"`) };
}

/**
 * Prompt tuning (Lester et al. 2021): trained embeddings [virtual tokens, token dim] in front of the input's.
 * @see peft `tuners/prompt_tuning/model.py`
 */
export const PROMPT_TUNING: PromptMethod<PromptTuningConfigFields> = {
  name: "PROMPT_TUNING",
  kind: "embeddings",
  fields: INIT_FIELDS,
  resolve(values) {
    checkInit(values);
    return {};
  },
  parameters: (config) => ({ [EMBEDDING]: embeddingOf(totalTokens(config), config.tokenDim) }),
  start: startEmbedding,
  encode: (params) => ({ [PROMPT]: params[EMBEDDING]! }),
  saved: (config) => ({ [PROMPT]: [totalTokens(config), config.tokenDim] }),
  restore: (saved) => ({ [EMBEDDING]: saved[PROMPT]! }),
};
