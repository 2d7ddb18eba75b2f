import { readFileSync } from "node:fs";
import { Tokenizer } from "@weft/tokenizers";
import { type ChatMessage, ChatTemplate } from "@weft/tokenizers/chat";
import { describe, expect, it } from "vitest";
import { type Encoded, encodedOf, type EncodeExampleOptions, encodeExample, type Example, IGNORED, type Turns } from "../index.js";
import { chatTokenizer, fixture, fixtureJson } from "../testing.js";

const chats = fixtureJson("models/chat_templates.json") as {
  templates: Record<string, string>;
  chats: Record<string, { messages: ChatMessage[] }>;
  tokens: Record<string, string>;
};
const templateOf = (name: string): ChatTemplate => ChatTemplate.fromText(chats.templates[name]!, chats.tokens);
const place = { file: "train.jsonl", line: 1 };
const tokenizer = chatTokenizer();
const first = (example: Example, options: Partial<EncodeExampleOptions> = {}): Encoded =>
  encodedOf(encodeExample(example, { tokenizer, ...options }))[0]!;
const chat = (...messages: ChatMessage[]): Example => ({ kind: "chat", messages, place });
const user = (content: string): ChatMessage => ({ role: "user", content });
const assistant = (content: string): ChatMessage => ({ role: "assistant", content });
const completion = (prompt: Turns, answer: Turns): Example => ({ kind: "completion", prompt, completion: answer, place });
/** The texts of runs of trained tokens. */
function trainedTexts({ labels, offsets, text }: Encoded): string[] {
  const texts: string[] = [];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] === IGNORED) continue;
    const from = offsets[2 * i]!;
    while (i + 1 < labels.length && labels[i + 1] !== IGNORED) i++;
    texts.push(text.slice(from, offsets[2 * i + 1]));
  }
  return texts;
}

describe("what the assistant says, against transformers", () => {
  const bytes = Tokenizer.fromJson(readFileSync(fixture("models/tokenizers/bpe_byte_level/tokenizer.json")));
  const cases = fixtureJson("models/chat_masks.json") as { template: string; chat: string; ids: number[]; mask: number[] }[];
  it.each(cases.map((one) => [`${one.template}: ${one.chat}`, one] as const))("%s", (_, { template, chat: name, ids, mask }) => {
    const encoded = first(chat(...chats.chats[name]!.messages), { tokenizer: bytes, template: templateOf(template) });
    expect([...encoded.ids]).toEqual(ids);
    expect([...encoded.labels]).toEqual(ids.map((id, i) => (mask[i] === 1 ? id : IGNORED)));
  });
});

describe("masks", () => {
  const template = templateOf("smollm2");
  const talk = chat(user("a"), assistant("b"), user("c"), assistant("d"));
  const answers = ["b<|im_end|>\n", "d<|im_end|>\n"];
  it("by prompts: each answer, with the token that ends it, and no header", () => {
    const encoded = first(talk, { template });
    expect(trainedTexts(encoded)).toEqual(answers);
    expect(encoded).toMatchObject({ endTrained: true, warnings: [] });
    expect(encoded.turns.map(({ role, from, to }) => [role, encoded.text.slice(from, to)])).toEqual([
      // The system message that the template writes by itself is of the first turn.
      ["user", expect.stringMatching(/^<\|im_start\|>system[^]*user\na<\|im_end\|>\n$/)],
      ["assistant", "<|im_start|>assistant\nb<|im_end|>\n"],
      ["user", "<|im_start|>user\nc<|im_end|>\n"],
      ["assistant", "<|im_start|>assistant\nd<|im_end|>\n"],
    ]);
  });
  it("by headers, found in the template or given: the answers up to the token that ends them", () => {
    const want = answers.map((one) => one.trimEnd());
    expect(trainedTexts(first(talk, { template, mask: "headers" }))).toEqual(want);
    expect(
      trainedTexts(first(talk, { template, mask: "headers", headers: { assistant: "<|im_start|>assistant\n", end: "<|im_end|>" } })),
    ).toEqual(want);
    expect(
      trainedTexts(first(talk, { template, mask: "headers", headers: { assistant: "<|im_start|>user\n", end: "<|im_end|>" } })),
    ).toEqual(["a<|im_end|>", "c<|im_end|>"]);
  });
  it("by blocks, which the template must have", () => {
    expect(trainedTexts(first(talk, { template: templateOf("chatml") }))).toEqual(answers);
    expect(() => first(talk, { template, mask: "generation" })).toThrow(/no {% generation %} blocks/);
  });
  it("all: every token but the first, which nothing predicts", () => {
    const { ids, labels } = first(talk, { template, mask: "all" });
    expect([...labels]).toEqual([IGNORED, ...ids.slice(1)]);
  });
  it.each(["prompt", "generation", "headers"] as const)("of a prompt with answers in it, by %s: only the completion", (mask) => {
    const encoded = first(completion([user("a"), assistant("b"), user("c")], [assistant("d")]), { template: templateOf("chatml"), mask });
    expect(trainedTexts(encoded).map((one) => one.trimEnd())).toEqual(["d<|im_end|>"]);
  });
  it("of a template that writes something only behind the last message: all answers (Phi-3)", () => {
    expect(trainedTexts(first(talk, { template: templateOf("phi3") }))).toEqual(["b<|end|>\n", "d<|end|>\n</s>"]);
  });
  it("of a template that leaves reasoning out of former answers: the last, and a warning for the others (Qwen3)", () => {
    const encoded = first(chat(user("a"), assistant("<think>\nx\n</think>\n\nb"), user("c"), assistant("<think>\ny\n</think>\n\nd")), {
      template: templateOf("qwen3"),
    });
    expect(trainedTexts(encoded)).toEqual(["<think>\ny\n</think>\n\nd<|im_end|>\n"]);
    expect(encoded.warnings).toEqual([{ kind: "turn-rewritten", message: expect.stringContaining("message 1") }]);
  });
  it("a token that reaches over the end of the prompt is trained on, with a warning", () => {
    const encoded = first(chat(user("a"), assistant("no")), { template });
    expect(trainedTexts(encoded)).toEqual(["\nno<|im_end|>\n"]);
    expect(encoded.warnings.map(({ kind }) => kind)).toEqual(["prompt-not-prefix"]);
  });
});

describe("texts that no template writes", () => {
  it("have their completion trained on, and the token that ends it, also where it pads as well", () => {
    const encoded = first(completion("a", "b</s>c"), { endToken: "</s>", beginToken: "<s>" });
    const ids = ["<s>", "a", "b", "</s>", "c", "</s>"].map((token) => tokenizer.tokenToId(token)!);
    expect([...encoded.ids]).toEqual(ids);
    expect([...encoded.labels]).toEqual([IGNORED, IGNORED, ...ids.slice(2)]);
    expect(encoded.endTrained).toBe(true);
  });
  it("without such a token warn that the model does not learn to stop", () => {
    const encoded = first({ kind: "text", text: "abc", place });
    expect(encoded).toMatchObject({ endTrained: undefined, warnings: [{ kind: "no-end-token" }] });
    expect(trainedTexts(encoded)).toEqual(["bc"]);
  });
  it("of preferences share the prompt", () => {
    const [chosen, rejected] = encodedOf(
      encodeExample({ kind: "preference", prompt: "a", chosen: "bb", rejected: "c", place }, { tokenizer, endToken: "</s>" }),
    );
    expect([trainedTexts(chosen!), trainedTexts(rejected!)]).toEqual([["bb"], ["c"]]);
  });
  it("of KTO keep the label", () =>
    expect(encodeExample({ kind: "kto", prompt: "a", completion: "b", label: false, place }, { tokenizer })).toMatchObject({
      label: false,
    }));
});

describe("truncation", () => {
  const example = completion("aaaaaa", "bbbb");
  const cutTo = (truncation: "left" | "right" | "answer", maxLength: number): [string, number, number, boolean | undefined] => {
    const { ids, cut, endTrained, labels } = first(example, { endToken: "</s>", maxLength, truncation });
    expect(labels[0]).toBe(IGNORED);
    return [[...ids].map((id) => tokenizer.idToToken(id)).join(""), cut.front.length, cut.back.length, endTrained];
  };
  it.each<["left" | "right" | "answer", number, [string, number, number, boolean]]>([
    ["right", 8, ["aaaaaabb", 0, 3, false]],
    ["left", 8, ["aaabbbb</s>", 3, 0, true]],
    ["answer", 8, ["aaabbbb</s>", 3, 0, true]],
    ["left", 3, ["bb</s>", 8, 0, true]],
    ["answer", 4, ["abbb", 5, 2, false]],
    ["answer", 11, ["aaaaaabbbb</s>", 0, 0, true]],
  ])("%s to %i", (truncation, maxLength, want) => expect(cutTo(truncation, maxLength)).toEqual(want));
});

describe("options that cannot be", () => {
  it.each<[string, Example, Partial<EncodeExampleOptions>, RegExp]>([
    ["messages without template", chat(user("a")), {}, /train\.jsonl, line 1 has messages, and no chat template/],
    ["a mask of messages for a text", completion("a", "b"), { mask: "headers" }, /mask headers is for messages/],
    ["an end token that there is not", completion("a", "b"), { endToken: "<end>" }, /endToken: the vocabulary has no token/],
    ["a length for one token", completion("a", "b"), { maxLength: 1 }, /maxLength is 1/],
  ])("%s", (_, example, options, message) => expect(() => first(example, options)).toThrow(message));
});
