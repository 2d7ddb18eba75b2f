import { ChatTemplate } from "@weft/tokenizers/chat";
import { describe, expect, it } from "vitest";
import {
  assertTrainable,
  coverageOf,
  type Encoded,
  encodedOf,
  type EncodeExampleOptions,
  encodeExample,
  type Example,
  formatLens,
  lensOf,
  refusals,
} from "../index.js";
import { chatTokenizer, fixtureJson } from "../testing.js";

const tokenizer = chatTokenizer();
const { templates } = fixtureJson("models/chat_templates.json") as { templates: Record<string, string> };
const encode = (example: Example, options: Partial<EncodeExampleOptions> = {}): Encoded =>
  encodedOf(encodeExample(example, { tokenizer, ...options }))[0]!;
const pair = (prompt: string, completion: string, line = 1): Example => ({
  kind: "completion",
  prompt,
  completion,
  place: { file: "train.jsonl", line },
});

describe("a lens", () => {
  const chat: Example = {
    kind: "chat",
    messages: [
      { role: "system", content: "s" },
      { role: "user", content: "a" },
      { role: "assistant", content: "b\n" },
    ],
    place: { file: "train.jsonl", line: 17 },
  };
  const template = ChatTemplate.fromText(templates["chatml"]!);

  it("shows tokens with texts, labels, turns, and what was cut", () => {
    const lens = lensOf(encode(chat, { template, maxLength: 8, truncation: "left" }), tokenizer);
    expect(lens.tokens.map(({ text }) => text).join("")).toBe(
      "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb\n<|im_end|>\n",
    );
    expect(lens.tokens.filter(({ beginsTurn }) => beginsTurn).map(({ role }) => role)).toEqual(["system", "user", "assistant"]);
    expect(lens.tokens.filter(({ label }) => label !== -100).map(({ text }) => text)).toEqual(["b", "\n", "<|im_end|>", "\n"]);
    expect(lens.tokens.filter(({ cut }) => !cut).length).toBe(8);
    expect(lens).toMatchObject({ trained: 4, seen: 8, endTrained: true, warnings: [] });
  });

  it("is written for a terminal, marked by signs and with colour by colours too", () => {
    const lens = lensOf(encode(chat, { template, maxLength: 16, truncation: "left" }), tokenizer);
    expect(formatLens(lens).split("\n")).toEqual([
      expect.stringMatching(/^train\.jsonl, line 17: trained 4 of 16 tokens, end token trained, \d+ cut$/),
      "  system: ~<|im_start|>~~s~~y~~s~~t~~e~~m~~⏎~~s~~<|im_end|>~~⏎~",
      "  user: ~<|im_start|>~~u~~s~~e~~r~~⏎~~a~~<|im_end|>~⏎",
      "  assistant: <|im_start|>assistant⏎[b][⏎][<|im_end|>][⏎]",
    ]);
    expect(formatLens(lens, { color: true })).toContain("\u001b[30;42m[b]\u001b[0m");
  });

  it("shows the spaces that offsets leave out", () => {
    const lens = lensOf(encode(pair("a  b", " c d\n e")), tokenizer);
    expect(lens.tokens.map(({ text }) => text).join("")).toBe("a  b c d\n e");
  });

  it("lets no control character of the data through", () => {
    const text = formatLens(lensOf(encode(pair("\u001b[2J\u202e", "\u0007ok\u009b")), tokenizer));
    expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(text).toContain("the model does not learn to stop");
  });
});

describe("coverage", () => {
  const options = { endToken: "</s>", maxLength: 8 };
  const data = [pair("aaa", "bbb", 1), pair("a", "", 2), pair("aaaaaaaa", "bbbbbbbbbb", 3)].map((one) => encode(one, options));
  it("counts what is trained on, cut, and ended", () =>
    expect(coverageOf([...data, encode(pair("a", "b", 4))])).toEqual({
      examples: 4,
      tokens: 7 + 2 + 8 + 2,
      trained: 4 + 1 + 7 + 1,
      share: 13 / 19,
      untrained: { count: 0, places: [] },
      end: { trained: 2, untrained: 1, unknown: 1 },
      truncated: { count: 1, tokens: 11, places: [{ file: "train.jsonl", line: 3 }] },
      lengths: { min: 2, median: 2, p90: 19, p95: 19, p99: 19, max: 19 },
      warnings: { "no-end-token": 1 },
    }));

  it.each<[string, Encoded[], string | undefined]>([
    ["nothing at all", [], "dataset-empty"],
    ["nothing trained on", [encode(pair("abc", "d"), { maxLength: 2, truncation: "right" })], "nothing-trained"],
    ["an end that is always cut off", [encode(pair("a", "bbbbbbbbbb"), options)], "end-never-trained"],
    ["an end that is trained on once", data, undefined],
    ["no end that is known", [encode(pair("a", "b"))], undefined],
  ])("refuses %s", (_, encoded, kind) => {
    const coverage = coverageOf(encoded);
    expect(refusals(coverage).map((error) => error.kind)).toEqual(kind === undefined ? [] : [kind]);
    if (kind !== undefined) expect(() => assertTrainable(coverage)).toThrow(expect.objectContaining({ kind }));
  });
});
