import { expect, it } from "vitest";
import type { EncodedExample } from "../index.js";
import { exampleRows } from "../index.js";

const encoded = (prompt: readonly number[], answer: readonly number[]): object => ({
  ids: Int32Array.from([...prompt, ...answer]),
  labels: Int32Array.from([...prompt.map(() => -100), ...answer]),
});
const pair = (n: number): EncodedExample =>
  ({ kind: "preference", chosen: encoded([n], [n + 1, n + 2]), rejected: encoded([n], [n + 3]) }) as unknown as EncodedExample;
const judged = (prompt: number, answer: number, label: boolean): EncodedExample =>
  ({ kind: "kto", encoded: encoded([prompt], [answer]), label }) as unknown as EncodedExample;
const text = (id: number, count: number): EncodedExample =>
  ({ kind: "sft", encoded: encoded([], Array<number>(count).fill(id)) }) as unknown as EncodedExample;
const listed = (rows: readonly Int32Array[] | undefined): number[][] | undefined => rows?.map((row) => [...row]);

it("pairs are all chosen answers and then the rejected ones", () => {
  const { inputIds, labels, attentionMask } = exampleRows([[pair(10)], [pair(20)]]);
  expect(listed(inputIds)).toEqual([
    [10, 11, 12],
    [20, 21, 22],
    [10, 13, 0],
    [20, 23, 0],
  ]);
  expect(listed(labels)!.map((row) => row[0])).toEqual([-100, -100, -100, -100]);
  expect(listed(attentionMask)).toEqual([
    [1, 1, 1],
    [1, 1, 1],
    [1, 1, 0],
    [1, 1, 0],
  ]);
});

it("judged answers bring the answers to other prompts, if there are any", () => {
  const rows = exampleRows([[judged(1, 2, true)], [judged(3, 4, false)]], { length: 3 });
  expect(rows.desirable).toEqual([1, 0]);
  expect(listed(rows.inputIds)).toEqual([
    [1, 2, 0],
    [3, 4, 0],
  ]);
  expect(listed(rows.klInputIds)).toEqual([
    [1, 4, 0],
    [3, 2, 0],
  ]);
  expect(listed(rows.klLabels)).toEqual([
    [-100, 4, -100],
    [-100, 2, -100],
  ]);
  expect(listed(rows.klAttentionMask)).toEqual([
    [1, 1, 0],
    [1, 1, 0],
  ]);
  const alone = exampleRows([[judged(1, 2, true)]]);
  expect([alone.desirable, alone.klInputIds, alone.attentionMask]).toEqual([[1], undefined, undefined]);
});

it("others may share a row", () => {
  const { inputIds, segmentIds, labels } = exampleRows([[text(5, 2), text(6, 3)]], { packed: true, length: 6 });
  expect(listed(inputIds)).toEqual([[5, 5, 6, 6, 6, 0]]);
  expect(listed(segmentIds)).toEqual([[1, 1, 2, 2, 2, 0]]);
  expect(listed(labels)).toEqual([[-100, 5, -100, 6, 6, -100]]);
});
