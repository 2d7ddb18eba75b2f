import { describe, expect, it } from "vitest";
import { encodeLabelled, type EncoderTask, IGNORED, labelledRows, readRows } from "../index.js";

/** Letters as tokens, [CLS] 1 in front, [SEP] 2 behind each text; words as pre-tokenization would number them. */
const tokenizer = {
  encode(
    text: string | readonly string[],
    { pair, truncation }: { readonly pair?: string; readonly truncation?: number | false } = {},
  ): object {
    const words = typeof text === "string" ? text.split(" ") : text;
    const letters = words.flatMap((word, w) => [...word].map((letter) => [letter.charCodeAt(0), w] as const));
    const own = letters.slice(0, truncation === false || truncation === undefined ? Infinity : truncation - 2);
    const other = [...(pair ?? "")].map((letter) => letter.charCodeAt(0));
    return {
      ids: [1, ...own.map(([id]) => id), 2, ...(pair === undefined ? [] : [...other, 2])],
      typeIds: [0, ...own.map(() => 0), 0, ...(pair === undefined ? [] : [...other.map(() => 1), 1])],
      wordIds: [null, ...own.map(([, word]) => word), null, ...(pair === undefined ? [] : [...other.map(() => 0), null])],
    };
  },
} as never;
const encode = (task: EncoderTask, rows: readonly object[], more: object = {}): ReturnType<typeof encodeLabelled> =>
  encodeLabelled(readRows(rows.map((row) => JSON.stringify(row)).join("\n"), { format: "jsonl", name: "data.jsonl" }), {
    task,
    tokenizer,
    ...more,
  });
const listed = (rows: readonly ArrayLike<number>[] | readonly number[] | undefined): unknown =>
  rows?.map((row) => (typeof row === "number" ? row : Array.from(row)));

describe("examples of an encoder", () => {
  it("have classes in the order of their names, or that of a training", async () => {
    const rows = [
      { text: "ab", label: "spam" },
      { text: "c", text_pair: "d", label: "ham" },
    ];
    const { examples, classes } = await encode("classification", rows);
    expect(classes).toEqual(["ham", "spam"]);
    const batch = labelledRows(examples);
    expect(listed(batch.inputIds)).toEqual([
      [1, 97, 98, 2, 0],
      [1, 99, 2, 100, 2],
    ]);
    expect(listed(batch.attentionMask)).toEqual([
      [1, 1, 1, 1, 0],
      [1, 1, 1, 1, 1],
    ]);
    expect(listed(batch.tokenTypeIds)).toEqual([
      [0, 0, 0, 0, 0],
      [0, 0, 0, 1, 1],
    ]);
    expect(batch.labels).toEqual([1, 0]);
    const numbered = await encode(
      "classification",
      [10, 9, 2].map((label) => ({ text: "a", label })),
    );
    expect(numbered.classes).toEqual(["2", "9", "10"]);
    const same = await encode("classification", rows.slice(0, 1), { classes: ["x", "ham", "spam"] });
    expect(same.examples[0]!.label).toBe(2);
    await expect(encode("classification", rows, { classes: ["ham"] })).rejects.toThrow(
      'data.jsonl, line 1: the class "spam" is none of ham',
    );
  });

  it("have the class of a word on its first token, as far as the text goes", async () => {
    const rows = [
      { tokens: ["ab", "c"], labels: ["B", "O"] },
      { tokens: ["d"], labels: ["O"] },
    ];
    const { examples, classes } = await encode("token_classification", rows, { maxLength: 4 });
    expect(classes).toEqual(["B", "O"]);
    const batch = labelledRows(examples, { length: 5 });
    expect(listed(batch.inputIds)).toEqual([
      [1, 97, 98, 2, 0],
      [1, 100, 2, 0, 0],
    ]);
    expect(listed(batch.labels)).toEqual([
      [IGNORED, 0, IGNORED, IGNORED, IGNORED],
      [IGNORED, 1, IGNORED, IGNORED, IGNORED],
    ]);
  });

  it("that are compared stand one column behind the other", async () => {
    const { examples } = await encode("contrastive", [
      { anchor: "a", positive: "b", negative: "c" },
      { anchor: "d", positive: "e", negative: "f" },
    ]);
    const batch = labelledRows(examples);
    expect(listed(batch.inputIds)).toEqual(["a", "d", "b", "e", "c", "f"].map((letter) => [1, letter.charCodeAt(0), 2]));
    expect(batch.labels).toBeUndefined();
    const scored = await encode("cosine_similarity", [{ sentence1: "a", sentence2: "b", score: "0.5" }]);
    expect(labelledRows(scored.examples).scores).toEqual([0.5]);
    const number = await encode("regression", [{ review: "a", stars: 3 }], { columns: { text: "review", label: "stars" } });
    expect([labelledRows(number.examples).labels, number.classes]).toEqual([[3], []]);
  });

  it.each<[EncoderTask, object[], string]>([
    ["classification", [{ text: "a" }], 'column "label": expected a class: a text or a whole number, got nothing'],
    ["regression", [{ text: "a", label: "many" }], 'expected a number, got "many"'],
    ["token_classification", [{ tokens: ["a", "b"], labels: ["O"] }], "expected a list of 2 classes, one a word, got 1"],
    ["token_classification", [{ tokens: "a b", labels: ["O"] }], "expected a list of words"],
    [
      "contrastive",
      [
        { anchor: "a", positive: "b" },
        { anchor: "a", positive: "b", negative: "c" },
      ],
      "some rows have a negative",
    ],
  ])("of %s say what is wrong", async (task, rows, message) => {
    await expect(encode(task, rows)).rejects.toThrow(message);
  });
});
