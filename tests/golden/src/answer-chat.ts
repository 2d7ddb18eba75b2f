// What weft makes of chats, for tests/python/chat_templates.py: a line of JSON is asked on stdin, one answers on stdout.
import { createInterface } from "node:readline";
import { type ChatMessage, ChatTemplate, type ChatTemplateOptions } from "@weft/tokenizers/chat";
import { WeftError } from "@weft/tensor-core";

interface Question {
  readonly template: string;
  readonly tokens: Readonly<Record<string, string>>;
  readonly messages: readonly ChatMessage[];
  readonly options: Omit<ChatTemplateOptions, "now"> & { readonly now: string };
}

for await (const line of createInterface({ input: process.stdin })) {
  const { template, tokens, messages, options } = JSON.parse(line) as Question;
  const settings = { ...options, now: new Date(options.now) };
  let answer: object;
  try {
    const compiled = ChatTemplate.fromText(template, tokens);
    answer = options.continueFinalMessage ? { text: compiled.render(messages, settings) } : compiled.renderWithSpans(messages, settings);
  } catch (error) {
    answer = { error: error instanceof WeftError ? `${error.kind}: ${error.message}` : `not a WeftError: ${String(error)}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
