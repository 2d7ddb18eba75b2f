import { encodedOf, type EncodedExample, encodeExamples, type Row, toExamples } from "@weft/datasets";
import type { GenerateOptions } from "@weft/generation";
import { ConfigError, throwIfAborted } from "@weft/tensor-core";
import type { Tokenizer } from "@weft/tokenizers";
import type { ChatTemplate } from "@weft/tokenizers/chat";
import { type FineTuningSettings, type ObjectiveName } from "./settings.js";

/** What examples are encoded by: what a model has beside its weights. */
export interface TextFiles {
  readonly tokenizer: Tokenizer;
  readonly chatTemplate: ChatTemplate | undefined;
  /** Of `generationDefaults`: its first end token ends texts that no template writes. */
  readonly defaults: GenerateOptions;
}

/** The kind of examples that an objective learns from, with the columns that make them. */
const KINDS: { readonly [name in ObjectiveName]: readonly [kind: EncodedExample["kind"], columns: string] } = {
  sft: ["sft", "texts, chats or completions"],
  dpo: ["preference", "pairs (chosen, rejected)"],
  orpo: ["preference", "pairs (chosen, rejected)"],
  kto: ["kto", "prompt, completion, label"],
};

/**
 * Rows of a file as tokens with labels, for an objective.
 * @param vocabSize tokens that the model has
 * @param file its name, for errors
 * @throws what `toExamples` and `encodeExamples` throw; ConfigError kind `dataset-format` for data of another objective, and kind `config-mismatch` for a
 * tokenizer that is another model's; CancelledError
 */
export async function encodeRows(
  rows: AsyncIterable<Row>,
  file: string,
  { format, columns, mask, maxLength, objective }: Pick<FineTuningSettings, "format" | "columns" | "mask" | "maxLength" | "objective">,
  { tokenizer, chatTemplate, defaults }: TextFiles,
  vocabSize: number,
  signal?: AbortSignal,
): Promise<EncodedExample[]> {
  const [end] = [defaults.eosTokenId ?? []].flat();
  const endToken = end === undefined ? undefined : tokenizer.idToToken(end);
  const special = tokenizer.encode("", { truncation: false, padding: false }).ids;
  const beginToken = special[0] === undefined || special[0] === end ? undefined : tokenizer.idToToken(special[0]);
  const options = {
    tokenizer,
    maxLength,
    ...(chatTemplate && { template: chatTemplate }),
    ...(mask && { mask }),
    ...(endToken !== undefined && { endToken }),
    ...(beginToken !== undefined && { beginToken }),
  };
  const examples = toExamples(rows, { ...(format && { format }), ...(columns && { columns }) });
  const [kind, wanted] = KINDS[objective];
  const all: EncodedExample[] = [];
  for await (const example of encodeExamples(examples, options)) {
    throwIfAborted(signal);
    if (example.kind !== kind) {
      const [fit] = Object.entries(KINDS).find(([, [one]]) => one === example.kind)!;
      throw new ConfigError(`${file}: ${objective} learns from ${wanted}, and these are ${KINDS[fit as ObjectiveName][1]}`, {
        kind: "dataset-format",
        hint: `--objective ${fit}`,
      });
    }
    for (const { ids } of encodedOf(example)) assertKnown(ids, vocabSize, file);
    all.push(example);
  }
  return all;
}

/** @throws ConfigError for a token that the model does not have: its tokenizer is another's */
function assertKnown(ids: Int32Array, vocabSize: number, file: string): void {
  const unknown = ids.find((id) => id >= vocabSize);
  if (unknown === undefined) return;
  throw new ConfigError(`${file}: the tokenizer makes a token ${unknown}, and the model has ${vocabSize}`, {
    kind: "config-mismatch",
    hint: "the tokenizer is of another model: the model's own tokenizer.json belongs beside its config.json",
  });
}
