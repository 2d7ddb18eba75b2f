import { describe, expect, it } from "vitest";
import { type ExampleOptions, readRows, toExamples } from "../index.js";
import { collect, failure } from "../testing.js";

const read = async (rows: readonly object[], options?: ExampleOptions): Promise<object[]> =>
  collect(toExamples(readRows(rows.map((row) => JSON.stringify(row)).join("\n"), { format: "jsonl", name: "train.jsonl" }), options));
const user = (content: string): object => ({ role: "user", content });
const assistant = (content: string): object => ({ role: "assistant", content });

describe("rows are told by their columns", () => {
  it.each<[string, object, object, ExampleOptions?]>([
    ["chat", { messages: [user("a")], tools: [{ name: "f" }] }, { kind: "chat", messages: [user("a")], tools: [{ name: "f" }] }],
    [
      "ShareGPT",
      {
        system: "s",
        conversations: [
          { from: "human", value: "a" },
          { from: "gpt", value: "b" },
        ],
      },
      { kind: "chat", messages: [{ role: "system", content: "s" }, user("a"), assistant("b")] },
    ],
    ["completion", { prompt: "a", completion: "b", other: 1 }, { kind: "completion", prompt: "a", completion: "b" }],
    [
      "completion of messages",
      { prompt: [user("a")], completion: [assistant("b")] },
      { kind: "completion", prompt: [user("a")], completion: [assistant("b")] },
    ],
    [
      "completion in other columns",
      { question: "a", answer: "b" },
      { kind: "completion", prompt: "a", completion: "b" },
      { columns: { prompt: "question", completion: "answer" } },
    ],
    ["KTO", { prompt: "a", completion: "b", label: "False" }, { kind: "kto", prompt: "a", completion: "b", label: false }],
    ["preference", { prompt: "a", chosen: "b", rejected: "c" }, { kind: "preference", prompt: "a", chosen: "b", rejected: "c" }],
    [
      "preference whose prompt is what answers share",
      { chosen: "ab", rejected: "ac" },
      { kind: "preference", prompt: "a", chosen: "b", rejected: "c" },
    ],
    [
      "preference of messages",
      { chosen: [user("a"), assistant("b")], rejected: [user("a"), assistant("c")] },
      { kind: "preference", prompt: [user("a")], chosen: [assistant("b")], rejected: [assistant("c")] },
    ],
    ["text", { text: "a" }, { kind: "text", text: "a" }],
  ])("%s", async (_, row, want, options) =>
    expect(await read([row], options)).toEqual([{ ...want, place: { file: "train.jsonl", line: 1 } }]),
  );

  it("Alpaca, in its own words, with and without an input", async () => {
    const [plain, withInput] = (await read([
      { instruction: "do", output: "done" },
      { instruction: "do", input: "this", output: "done" },
    ])) as { prompt: string; completion: string }[];
    expect(plain!.prompt).toMatch(/^Below is an instruction that describes a task\. Write .*\n\n### Instruction:\ndo\n\n### Response:\n$/);
    expect(withInput!.prompt).toMatch(/### Instruction:\ndo\n\n### Input:\nthis\n\n### Response:\n$/);
    expect(withInput!.completion).toBe("done");
  });
});

describe("what is wrong is named with file, line and column", () => {
  it.each<[string, object[], string, RegExp, ExampleOptions?]>([
    ["columns of no format", [{ a: 1 }], "dataset-format", /train\.jsonl, line 1: the columns a are those of no format/],
    [
      "a column that a later row lacks",
      [{ text: "a" }, { body: "b" }],
      "dataset-row",
      /line 2, column text: expected the columns of the format text, got body/,
    ],
    [
      "a number for a text",
      [{ prompt: "a", completion: 1 }],
      "dataset-row",
      /line 1, column completion: expected a text or a list of messages, got 1/,
    ],
    [
      "a number in a column of another name",
      [{ q: 1, a: "b" }],
      "dataset-row",
      /column q: expected/,
      { columns: { prompt: "q", completion: "a" } },
    ],
    [
      "a message without role",
      [{ messages: [{ content: "a" }] }],
      "dataset-row",
      /column messages: expected messages with `role`.* got message 0/,
    ],
    ["no messages", [{ messages: [] }], "dataset-row", /expected a list of messages, got an empty list/],
    [
      "a label that is none",
      [{ prompt: "a", completion: "b", label: "maybe" }],
      "dataset-row",
      /column label: expected true or false, got maybe/,
    ],
    ["a text and messages", [{ chosen: "a", rejected: [user("b")] }], "dataset-row", /column rejected/],
    [
      "a name that the format does not have",
      [{ text: "a" }],
      "dataset-option",
      /columns names prmpt, the format has text/,
      { columns: { prmpt: "x" } },
    ],
    ["a format that there is not", [{ text: "a" }], "dataset-option", /there is no format/, { format: "x" as never }],
  ])("%s", async (_, rows, kind, message, options) => {
    const error = await failure(read(rows, options));
    expect(error.kind).toBe(kind);
    expect(error.message.replaceAll('"', "")).toMatch(message);
  });
});
