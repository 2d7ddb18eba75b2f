import type { TextGenerator } from "@weft/generation";
import type { Settings } from "../options.js";
import { Fields, HARMLESS, integer, type Kind, oneOf, texts, tokens } from "./fields.js";
import { assertChoices, type Prompt, takeConstraint, takeShared, type TextRequest } from "./text-request.js";

/** As OpenAI's API has it. */
const DEFAULT_MAX_TOKENS = 16;

const prompts: Kind<string | readonly string[] | readonly number[] | readonly (readonly number[])[]> = {
  expected: "a text, a list of texts, of tokens, or of lists of tokens",
  is: (v): v is never => texts.is(v) || tokens.is(v) || (Array.isArray(v) && v.length > 0 && v.every((one) => tokens.is(one))),
};

/** The body of `/v1/completions`. @throws ApiError 400 */
export function readCompletion(body: unknown, generator: TextGenerator, settings: Settings): TextRequest {
  const fields = new Fields(body);
  const shared = takeShared(fields);
  const prompt = fields.require("prompt", prompts);
  const logprobs = fields.take("logprobs", integer(0, 5));
  const maxNewTokens = fields.take("max_tokens", integer(1)) ?? DEFAULT_MAX_TOKENS;
  const request: TextRequest = {
    ...shared,
    prompts: typeof prompt === "string" || tokens.is(prompt) ? [prompt] : (prompt as readonly Prompt[]),
    logprobs,
    options: { ...shared.options, maxNewTokens, constraint: takeConstraint(fields, generator), topLogprobs: logprobs },
  };
  // Fields of one supported value.
  fields.take("echo", oneOf(false));
  fields.take("suffix", oneOf(""));
  fields.take("best_of", oneOf(request.n));
  fields.end(HARMLESS);
  assertChoices(request, settings, fields);
  return request;
}
