import { ConfigError } from "@weft/tensor-core";

/** @throws ConfigError for tokens that a model does not have: its embedding would give nothing for them */
export function assertInVocabulary(tokens: readonly number[], { vocabSize }: { readonly vocabSize: number }): void {
  const outside = tokens.find((id) => !Number.isSafeInteger(id) || id < 0 || id >= vocabSize);
  if (outside !== undefined)
    throw new ConfigError(`there is a token ${outside}, but the model's vocabulary has ${vocabSize}`, {
      hint: "is the tokenizer that of this model?",
    });
}
