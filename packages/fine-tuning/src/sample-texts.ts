import { type GenerateOptions, type GenerativeModel, TextGenerator } from "@weft/generation";
import type { TextFiles } from "./encode-rows.js";

/** Tokens of a sample. */
const SAMPLE_TOKENS = 64;

/**
 * Goes on with each prompt, by the model as it is.
 * @param options how; the likeliest tokens are taken if not given
 * @returns prompts with what follows
 */
export async function sampleTexts(
  model: GenerativeModel,
  prompts: readonly string[],
  { tokenizer, chatTemplate, defaults }: TextFiles,
  options: GenerateOptions = { temperature: 0 },
): Promise<string[]> {
  const generator = new TextGenerator(model, { tokenizer, chatTemplate, defaults, maxBatch: 1 });
  const texts: string[] = [];
  for (const prompt of prompts) {
    const { text } = await generator.generate(prompt, { ...options, maxNewTokens: SAMPLE_TOKENS }).result;
    texts.push(`${prompt}${text}`);
  }
  await generator.dispose();
  return texts;
}
