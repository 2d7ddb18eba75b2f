import {
  type Constraint,
  type GenerateOptions,
  type Generation,
  type GenerationResult,
  jsonSchema,
  regex,
  TextGenerator,
} from "@weft/generation";
import { parseStrictJson, plainJson } from "@weft/io-safetensors";
import { readSmallFile } from "@weft/io-safetensors/node";
import { converse } from "../chat/converse.js";
import { sideBySide } from "../chat/side-by-side.js";
import { type Command, type Context, EXIT } from "../context.js";
import { UsageError } from "../failure.js";
import { textOrStdin } from "../files/text-or-stdin.js";
import { type ModelCommandOptions, openModel, type OpenedModel } from "../models/open-model.js";

export interface GenerateCommandOptions extends ModelCommandOptions {
  readonly prompt?: string;
  readonly chat?: boolean;
  readonly system?: string;
  readonly maxNewTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed?: number;
  readonly stop: readonly string[];
  readonly jsonSchema?: string;
  readonly regex?: string;
  readonly promptLookup?: boolean;
  readonly compareBase?: boolean;
  readonly context?: number;
}

/** `weft generate -m MODEL [-a ADAPTER[:scale]] -p TEXT`: a text that streams, or a conversation. */
export const generate: Command<GenerateCommandOptions, []> = async (_args, options, context) => {
  const { chat = false, system, compareBase = false, adapter } = options;
  if (system !== undefined && !chat) throw new UsageError("--system is for chats", "add --chat");
  if (compareBase && adapter.length === 0) throw new UsageError("--compare-base has nothing to compare: no adapter is named", "-a ADAPTER");
  const isConversation = chat && options.prompt === undefined && process.stdin.isTTY === true;
  const prompt = isConversation ? undefined : await textOrStdin(options.prompt, '-p "Once upon a time", or --chat for a conversation');
  const opened = await openModel(options, context);
  const generation = generationOptions(options, opened, context);
  try {
    if (prompt === undefined) return await converse({ opened, options: generation, system, context });
    const answers = (model: OpenedModel["model"]): Answering => startAnswer(model, prompt, options, opened, generation);
    if (compareBase) return await compare(answers(opened.base), answers(opened.model), context);
    return await stream(answers(opened.model), context);
  } finally {
    opened.device.dispose();
  }
};

/** An answer under way, with what it runs on. */
interface Answering {
  readonly generator: TextGenerator;
  readonly generation: Generation;
}

function startAnswer(
  model: OpenedModel["model"],
  prompt: string,
  { chat, system, context }: GenerateCommandOptions,
  { files }: OpenedModel,
  options: GenerateOptions,
): Answering {
  const generator = new TextGenerator(model, { ...files, maxBatch: 1, ...(context !== undefined && { contextLength: context }) });
  const messages = [...(system === undefined ? [] : [{ role: "system", content: system }]), { role: "user", content: prompt }];
  return { generator, generation: chat ? generator.chat(messages, options) : generator.generate(prompt, options) };
}

async function stream({ generator, generation }: Answering, { out }: Context): Promise<number> {
  const started = performance.now();
  for await (const { text, token, logprob } of generation) {
    if (out.json) out.event({ event: "token", text, token, logprob });
    else out.streams.stdout(text);
  }
  const result = await generation.result;
  await generator.dispose();
  if (!out.json) out.streams.stdout("\n");
  const told = { ...result, tokensPerSecond: rateOf(result, started) };
  if (out.json) out.result(told, () => "");
  else out.note(`${result.tokens.length} tokens, ${told.tokensPerSecond} a second`);
  return EXIT.done;
}

async function compare(base: Answering, adapted: Answering, { out }: Context): Promise<number> {
  const results: GenerationResult[] = [];
  for (const { generator, generation } of [base, adapted]) {
    results.push(await generation.result);
    await generator.dispose();
  }
  const [without, with_] = results.map(({ text }) => text) as [string, string];
  out.result({ base: results[0], adapted: results[1] }, (style) =>
    sideBySide([style.bold("base"), without], [style.bold("with adapters"), with_], out.streams.columns?.() ?? 80),
  );
  return EXIT.done;
}

const rateOf = ({ tokens }: GenerationResult, started: number): number =>
  Number((tokens.length / ((performance.now() - started) / 1000)).toFixed(1));

function generationOptions(options: GenerateCommandOptions, { files }: OpenedModel, { signal }: Context): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, seed, stop, promptLookup } = options;
  return {
    maxNewTokens,
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    seed,
    stop,
    promptLookup,
    constraint: constraintOf(options, files),
    signal,
  };
}

function constraintOf(options: GenerateCommandOptions, { tokenizer, defaults }: OpenedModel["files"]): Constraint | undefined {
  const ends = { eosTokenId: defaults.eosTokenId };
  if (options.regex !== undefined) return regex(options.regex, tokenizer, ends);
  if (options.jsonSchema === undefined) return undefined;
  const file = options.jsonSchema;
  return jsonSchema(
    plainJson(parseStrictJson(readSmallFile(file), { file, kinds: { utf8: "config-json", json: "config-json" } })) as never,
    tokenizer,
    ends,
  );
}
