import { type GenerativeModel, TokenScorer } from "@weft/generation";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { readSmallFile } from "@weft/io-safetensors/node";
import { FormatError } from "@weft/tensor-core";
import type { Tokenizer } from "@weft/tokenizers";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { type ModelCommandOptions, openModel, type OpenedModel } from "../models/open-model.js";
import { table } from "../output.js";
import { Progress } from "../progress.js";

export interface EvalCommandOptions extends ModelCommandOptions {
  readonly context?: number;
  readonly stride?: number;
  readonly compareBase?: boolean;
}

/** A question with its possible answers. */
interface Question {
  readonly prompt: string;
  readonly choices: readonly string[];
  /** The number of the right one. */
  readonly answer: number;
}

/** What was measured of a model, by name. */
type Measured = { readonly [name: string]: number };

/** `weft eval -m MODEL [-a ADAPTER] FILE` */
export const evaluateModel: Command<EvalCommandOptions> = async ([file], options, context) => {
  if (options.compareBase && options.adapter.length === 0)
    throw new UsageError("--compare-base has nothing to compare: no adapter is named", "-a ADAPTER");
  const text = readSmallFile(file).toString("utf8");
  const questions = file.endsWith(".jsonl") ? readQuestions(text, file) : undefined;
  const opened = await openModel(options, context);
  try {
    const measure = (model: GenerativeModel): Promise<Measured> =>
      questions ? choices(questions, model, opened, options, context) : perplexity(text, model, opened, options, context);
    const base = options.compareBase ? await measure(opened.base) : undefined;
    const found = await measure(opened.model);
    context.out.result(base ? { base, adapted: found } : found, () => {
      const shown = (value: number): string => (Number.isInteger(value) ? `${value}` : value.toFixed(4));
      const rows = Object.keys(found).map((name) => [name, ...(base ? [shown(base[name]!)] : []), shown(found[name]!)]);
      return table(base ? [["", "base", "with adapters"], ...rows] : rows, [1, 2]);
    });
  } finally {
    opened.device.dispose();
  }
  return EXIT.done;
};

const scorer = (model: GenerativeModel, { device }: OpenedModel, { context, stride }: EvalCommandOptions): TokenScorer =>
  new TokenScorer(model, { device, ...(context !== undefined && { contextLength: context }), ...(stride !== undefined && { stride }) });

/** exp of the mean of -log p over all tokens but the first. */
async function perplexity(
  text: string,
  model: GenerativeModel,
  opened: OpenedModel,
  options: EvalCommandOptions,
  { signal }: Context,
): Promise<Measured> {
  const tokens = opened.files.tokenizer.encode(text, { truncation: false, padding: false }).ids;
  if (tokens.length < 2) throw new UsageError("the text has less than two tokens: there is nothing to measure");
  const scores = scorer(model, opened, options);
  const logprobs = await scores.logprobs(tokens, { signal });
  scores.dispose();
  const loss = -logprobs.reduce((total, value) => total + value, 0) / logprobs.length;
  return { tokens: tokens.length, loss, perplexity: Math.exp(loss) };
}

/** How often the right choice is the likeliest, by the sum of log p, and by that sum for each byte (lm-evaluation-harness' `acc` and `acc_norm`). */
async function choices(
  questions: readonly Question[],
  model: GenerativeModel,
  opened: OpenedModel,
  options: EvalCommandOptions,
  { signal, out }: Context,
): Promise<Measured> {
  const scores = scorer(model, opened, options);
  const progress = new Progress(out, "eval", questions.length);
  let [right, rightPerByte] = [0, 0];
  for (const [i, { prompt, choices, answer }] of questions.entries()) {
    const sums: number[] = [];
    for (const choice of choices) {
      const { before, tokens } = continued(opened.files.tokenizer, prompt, choice);
      sums.push((await scores.continuation(before, tokens, { signal })).reduce((total, value) => total + value, 0));
    }
    const perByte = sums.map((sum, n) => sum / Math.max(1, new TextEncoder().encode(choices[n]).length));
    if (sums.indexOf(Math.max(...sums)) === answer) right++;
    if (perByte.indexOf(Math.max(...perByte)) === answer) rightPerByte++;
    progress.update(i + 1);
  }
  progress.end();
  scores.dispose();
  return { questions: questions.length, accuracy: right / questions.length, accuracyPerByte: rightPerByte / questions.length };
}

/** A prompt's tokens, and those that a choice behind it adds: spaces between them go to the choice, as tokenizers have them. */
function continued(
  tokenizer: Tokenizer,
  prompt: string,
  choice: string,
): { readonly before: readonly number[]; readonly tokens: readonly number[] } {
  const spaces = /\s*$/.exec(prompt)![0];
  const encode = (text: string): readonly number[] => tokenizer.encode(text, { truncation: false, padding: false }).ids;
  const before = encode(prompt.slice(0, prompt.length - spaces.length));
  const whole = encode(`${prompt}${choice}`);
  const same = before.every((id, i) => whole[i] === id)
    ? before.length
    : Math.max(
        1,
        before.findIndex((id, i) => whole[i] !== id),
      );
  return { before: whole.slice(0, same), tokens: whole.slice(same) };
}

function readQuestions(text: string, file: string): Question[] {
  const lines = text.split(/\r?\n/);
  const questions = lines.flatMap((line, i): Question[] => {
    if (line.trim() === "") return [];
    const where = { file: `${file}:${i + 1}`, kinds: { utf8: "config-json", json: "config-json" } } as const;
    const row = plainJson(parseStrictJson(new TextEncoder().encode(line), where)) as Partial<Question> | null;
    const { prompt, choices, answer } = row ?? {};
    const isRight =
      typeof prompt === "string" &&
      Array.isArray(choices) &&
      choices.length > 1 &&
      choices.every((choice) => typeof choice === "string") &&
      Number.isInteger(answer) &&
      answer! >= 0 &&
      answer! < choices.length;
    if (isRight) return [{ prompt, choices, answer: answer! }];
    throw new FormatError(
      `${file}, line ${i + 1}: expected {"prompt": text, "choices": [two texts or more], "answer": number of the right one from 0}`,
      {
        kind: "config-json",
        file,
      },
    );
  });
  if (questions.length === 0) throw new UsageError(`${file} has no questions`);
  return questions;
}
