import type { ChatMessage, Span } from "@weft/tokenizers/chat";
import { WeftError } from "@weft/tensor-core";
import { describePlace, optionError, type Place } from "../data-error.js";
import type { Example, Turns } from "../examples/example.js";
import { encodeText, idOf, tokensOf } from "./encode-text.js";
import type { Encoded } from "./encoded.js";
import { headerSpans } from "./header-spans.js";
import type { EncodeExampleOptions } from "./options.js";
import { ChatText, headersOf } from "./spans.js";

/** Two answers to one prompt, as tokens. */
export interface EncodedPreference {
  readonly kind: "preference";
  readonly chosen: Encoded;
  readonly rejected: Encoded;
}

/** An answer that is good or is not, as tokens. */
export interface EncodedKto {
  readonly kind: "kto";
  readonly encoded: Encoded;
  readonly label: boolean;
}

/** Other examples, as tokens. */
export interface EncodedSft {
  readonly kind: "sft";
  readonly encoded: Encoded;
}

/** An example as tokens. */
export type EncodedExample = EncodedSft | EncodedPreference | EncodedKto;

/** What is encoded: a text, of which the part from `trainedFrom` on is trained on. */
function encodePlain(options: EncodeExampleOptions, text: string, trainedFrom: number, place: Place): Encoded {
  const { mask = "auto" } = options;
  if (mask === "generation" || mask === "headers")
    throw optionError(`mask ${mask} is for messages, and ${describePlace(place) || "the example"} has none`);
  const from = mask === "all" ? 0 : trainedFrom;
  const end = idOf(options, options.endToken, "endToken");
  const turns =
    trainedFrom === 0
      ? [{ role: "text", from: 0, to: text.length }]
      : [
          { role: "prompt", from: 0, to: trainedFrom },
          { role: "completion", from: trainedFrom, to: text.length },
        ];
  return encodeText(options, {
    text,
    spans: [[from, text.length]],
    turns,
    warnings: [],
    begin: idOf(options, options.beginToken, "beginToken"),
    end,
    endIds: new Set(end === undefined ? [] : [end]),
    place,
  });
}

/** Messages, of which the assistant's from `first` on are trained on. */
function encodeChat(
  options: EncodeExampleOptions,
  messages: readonly ChatMessage[],
  first: number,
  tools: readonly object[] | undefined,
  place: Place,
): Encoded {
  const { template, templateOptions } = options;
  if (!template)
    throw optionError(
      `${describePlace(place) || "an example"} has messages, and no chat template is given`,
      "pass template: openChatTemplate(folder)",
    );
  const settings = { ...templateOptions, ...(tools && { tools }) };
  const chat = new ChatText(template, messages, settings);
  const turns = chat.turns();
  const from = first === 0 ? 0 : (turns.find(({ message }) => message === first)?.from ?? 0);
  const base = {
    text: chat.whole,
    turns: turns.map(({ role, from: at, to }) => ({ role, from: at, to })),
    endIds: endIdsOf(options),
    place,
  };
  const mask =
    options.mask === undefined || options.mask === "auto" ? (template.marksGeneration(settings) ? "generation" : "prompt") : options.mask;
  const within = (spans: readonly Span[]): Span[] => spans.filter(([, to]) => to > from).map(([begin, to]) => [Math.max(begin, from), to]);
  if (mask === "generation") {
    if (!template.marksGeneration(settings))
      throw optionError(
        "mask generation: the template has no {% generation %} blocks",
        "use mask prompt or headers, or a template that has them",
      );
    return encodeText(options, { ...base, spans: within(template.renderWithSpans(messages, settings).generationSpans), warnings: [] });
  }
  if (mask === "prompt") return encodeText(options, { ...base, ...chat.answers(first) });
  if (mask === "headers")
    return encodeText(options, {
      ...base,
      spans: within(headerSpans(options, chat.whole, options.headers ?? headersOf(template, settings))),
      warnings: [],
    });
  return encodeText(options, { ...base, spans: [[0, chat.whole.length]], warnings: [] });
}

/** Tokens that end answers, found once for the options that examples share. */
const knownEnds = new WeakMap<EncodeExampleOptions, ReadonlySet<number>>();

/** Tokens that end an answer: the first of what the template, or `headers`, writes behind it; `endToken` besides. */
function endIdsOf(options: EncodeExampleOptions): ReadonlySet<number> {
  const known = knownEnds.get(options);
  if (known) return known;
  const given = idOf(options, options.endToken, "endToken");
  let end = options.headers?.end;
  try {
    end ??= headersOf(options.template!, options.templateOptions ?? {}).end;
  } catch (error) {
    // A template that takes no question and answer says nothing of ends; what is given must do.
    if (!(error instanceof WeftError)) throw error;
  }
  const first = end === undefined ? undefined : tokensOf(options, end).ids[0];
  const ends = new Set([given, first].filter((id) => id !== undefined));
  knownEnds.set(options, ends);
  return ends;
}

/** A prompt and its answer, each a text or messages. */
function encodePair(
  options: EncodeExampleOptions,
  prompt: Turns,
  answer: Turns,
  tools: readonly object[] | undefined,
  place: Place,
): Encoded {
  if (typeof prompt === "string" && typeof answer === "string") return encodePlain(options, prompt + answer, prompt.length, place);
  const before: readonly ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const after: readonly ChatMessage[] = typeof answer === "string" ? [{ role: "assistant", content: answer }] : answer;
  return encodeChat(options, [...before, ...after], before.length, tools, place);
}

/**
 * An example as tokens, with labels of what is trained on.
 *
 * Texts of messages are the template's, and have the special tokens that it writes, no others. A token is trained on if a part of it is. The tokens that end answers are
 * trained on with them, and no token is left out for being equal to the one that pads.
 * @throws ConfigError kind `dataset-option`; as `ChatTemplate.render`
 */
export function encodeExample(example: Example, options: EncodeExampleOptions): EncodedExample {
  const { tools, place } = example;
  switch (example.kind) {
    case "text":
      return { kind: "sft", encoded: encodePlain(options, example.text, 0, place) };
    case "chat":
      return { kind: "sft", encoded: encodeChat(options, example.messages, 0, tools, place) };
    case "completion":
      return { kind: "sft", encoded: encodePair(options, example.prompt, example.completion, tools, place) };
    case "kto":
      return { kind: "kto", encoded: encodePair(options, example.prompt, example.completion, tools, place), label: example.label };
    default:
      return {
        kind: "preference",
        chosen: encodePair(options, example.prompt, example.chosen, tools, place),
        rejected: encodePair(options, example.prompt, example.rejected, tools, place),
      };
  }
}

/** Examples as tokens, one after the other. @see encodeExample */
export async function* encodeExamples(
  examples: AsyncIterable<Example> | Iterable<Example>,
  options: EncodeExampleOptions,
): AsyncGenerator<EncodedExample> {
  for await (const example of examples) yield encodeExample(example, options);
}

/** What an example was encoded to, as a list: two of a preference. */
export const encodedOf = (example: EncodedExample): readonly Encoded[] =>
  example.kind === "preference" ? [example.chosen, example.rejected] : [example.encoded];
