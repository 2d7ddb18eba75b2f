import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ChatTemplate } from "../chat-template.js";
import { describe, expect, it } from "vitest";
import type { CallFormat } from "./call-format.js";
import { callFormatOf } from "./detect.js";
import { HERMES } from "./hermes.js";
import { LLAMA3 } from "./llama3.js";
import { MISTRAL } from "./mistral.js";

const fixture = JSON.parse(readFileSync(join(import.meta.dirname, "../../../../../fixtures/models/chat_templates.json"), "utf8")) as {
  tokens: Record<string, string>;
  templates: Record<string, string>;
};
const template = (name: string): ChatTemplate => ChatTemplate.fromText(fixture.templates[name]!, fixture.tokens);

const FAMILIES: readonly (readonly [string, CallFormat])[] = [
  ["qwen2.5", HERMES],
  ["qwen3", HERMES],
  ["llama3", LLAMA3],
  ["mistral", MISTRAL],
];

describe("what a family's own template writes is read again", () => {
  it.each(FAMILIES)("%s", (name, format) => {
    expect(callFormatOf(template(name))).toBe(format);
    const call = { name: "weather", arguments: { city: 'Zürich, "old" [town]', days: [1, 2], deep: { a: null } } };
    const messages = [
      { role: "user", content: "Hello" },
      { role: "assistant", content: "", tool_calls: [{ id: "abcdefghi", type: "function", function: call }] },
    ];
    const head = template(name).render(messages.slice(0, 1), { addGenerationPrompt: true });
    const text = template(name).render(messages).slice(head.length);
    const { calls, faults } = format.parse(text.replaceAll(/<\|im_end\|>\n?|<\|eot_id\|>|<\/s>/gu, ""));
    expect(faults).toEqual([]);
    expect(calls.map(({ name: called, arguments: args }) => ({ name: called, arguments: args }))).toEqual([call]);
  });

  it("templates without tools are taken for Hermes'", () => {
    for (const name of ["smollm2", "gemma", "phi3"]) expect(callFormatOf(template(name))).toBe(HERMES);
    expect(callFormatOf(undefined)).toBe(HERMES);
  });
});

const call = (args: object = { x: 1 }): object => ({ name: "f", arguments: args });

describe("calls are read as models write them", () => {
  it.each<[string, CallFormat, string, readonly object[], string]>([
    ["one between words", HERMES, 'Let me see.\n<tool_call>\n{"name": "f", "arguments": {"x": 1}}\n</tool_call>', [call()], "Let me see."],
    [
      "two",
      HERMES,
      '<tool_call>{"name":"f","arguments":{"x":1}}</tool_call><tool_call>{"name":"f","arguments":{}}</tool_call>',
      [call(), call({})],
      "",
    ],
    ["one that does not close", HERMES, '<tool_call>\n{"name": "f", "arguments": {"x": 1}}', [call()], ""],
    ["a fence", HERMES, '<tool_call>\n```json\n{"name": "f", "arguments": {"x": 1}}\n```\n</tool_call>', [call()], ""],
    ["arguments in a text", HERMES, '<tool_call>{"name":"f","arguments":"{\\"x\\":1}"}</tool_call>', [call()], ""],
    ["none", HERMES, "The answer is 4.", [], "The answer is 4."],
    ["a whole answer", LLAMA3, '{"name": "f", "parameters": {"x": 1}}', [call()], ""],
    ["behind the tag", LLAMA3, '<|python_tag|>{"name": "f", "parameters": {"x": 1}}<|eom_id|>', [call()], ""],
    [
      "two, with a semicolon",
      LLAMA3,
      '{"name": "f", "parameters": {"x": 1}}; {"name": "f", "parameters": {"x": "a; {b"}}',
      [call(), call({ x: "a; {b" })],
      "",
    ],
    ["a fence", LLAMA3, '```json\n{"name": "f", "parameters": {"x": 1}}\n```', [call()], ""],
    ["JSON that is an answer", LLAMA3, '{"answer": 4}', [], '{"answer": 4}'],
    ["a list", MISTRAL, '[TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}, "id": "abcdefghi"}]</s>', [call()], ""],
    ["a name before the arguments", MISTRAL, '[TOOL_CALLS]f[ARGS]{"x": 1}', [call()], ""],
    ["words before", MISTRAL, 'I will ask. [TOOL_CALLS] [{"name": "f", "arguments": {"x": 1}}]', [call()], "I will ask."],
  ])("%s", (_, format, text, calls, rest) => expect(format.parse(text)).toEqual({ calls, faults: [], text: rest }));

  it.each<[CallFormat, string, RegExp]>([
    [HERMES, "<tool_call>{name: f}</tool_call>", /no JSON/u],
    [HERMES, '<tool_call>{"arguments": {}}</tool_call>', /no "name"/u],
    [HERMES, '<tool_call>{"name": "f", "arguments": [1]}</tool_call>', /no object/u],
    [LLAMA3, '{"name": "f", "parameters": {"x": 1}', /no JSON/u],
    [LLAMA3, "<|python_tag|>f.call(x=1)", /no JSON/u],
    [MISTRAL, '[TOOL_CALLS] [{"name": 7}]', /no "name"/u],
  ])("what is none says why", (format, text, fault) => {
    const { calls, faults } = format.parse(text);
    expect(calls).toEqual([]);
    expect(faults[0]).toMatch(fault);
  });
});

describe("of a text that grows, what can be no call is known", () => {
  it.each<[CallFormat, string, string]>([
    [HERMES, "Let me see", "Let me see"],
    [HERMES, "Let me see. <tool", "Let me see. "],
    [HERMES, "a < b", "a < b"],
    [HERMES, 'So: <tool_call>{"name"', "So: "],
    [MISTRAL, "I ask [TOOL_", "I ask "],
    [MISTRAL, "a list [1]", "a list [1]"],
    [LLAMA3, "", ""],
    [LLAMA3, " <|py", ""],
    [LLAMA3, '{"name"', ""],
    [LLAMA3, "Well, {", "Well, {"],
  ])("%j", (format, text, certain) => expect(text.slice(0, format.certain(text))).toBe(certain));
});
