import { describe, expect, it } from "vitest";
import {
  batchRows,
  batchesPerEpoch,
  batchOf,
  IGNORED,
  isForEvaluation,
  loadBatches,
  type LoadedBatch,
  type LoadOptions,
  packRows,
  permutation,
  planEpoch,
  type Sequence,
  shuffleStream,
  splitExamples,
  streamBatches,
} from "../index.js";
import { collect, failure } from "../testing.js";

/** A sequence of `length` tokens, all of the id, of which those from `trainedFrom` on are trained on. */
const sequence = (id: number, length: number, trainedFrom = 0): Sequence => ({
  ids: new Int32Array(length).fill(id),
  labels: new Int32Array(length).map((_, i) => (i < trainedFrom ? IGNORED : id)),
});
/** Lengths without order. */
const LENGTHS = Array.from({ length: 97 }, (_, i) => 1 + ((i * 37 + 11) % 23));
const EXAMPLES = LENGTHS.map((length, i) => sequence(i + 1, length));
/** Ids of the examples in a batch, in order. */
const idsIn = ({ inputIds, segmentIds, shape: [, width] }: LoadedBatch): number[] =>
  [...inputIds].filter(
    (id, i) => id !== 0 && (i % width === 0 || inputIds[i - 1] !== id || (segmentIds && segmentIds[i] !== segmentIds[i - 1])),
  );
const sorted = (all: readonly number[]): number[] => [...all].sort((a, b) => a - b);

describe("orders by a key", () => {
  it.each([1, 2, 5, 64, 97, 1000])("of %i things have each once, another order for each seed and epoch, and the same again", (count) => {
    const order = (seed: number, epoch: number): number[] => [...permutation(count, seed, epoch)];
    expect(sorted(order(1, 0))).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(order(1, 0)).toEqual(order(1, 0));
    if (count > 5) {
      expect(order(1, 1)).not.toEqual(order(1, 0));
      expect(order(2, 0)).not.toEqual(order(1, 0));
    }
  });
  it("put each thing at each place about as often", () => {
    const counts = new Int32Array(25);
    for (let seed = 0; seed < 5000; seed++) for (const [i, thing] of permutation(5, seed, 0).entries()) counts[5 * i + thing]!++;
    // 1000 each; a standard deviation is 28.
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });
});

describe("a batch", () => {
  it("of rows has padding that is neither trained on nor seen, also where its id is that of a token", () => {
    const batch = batchOf([[sequence(2, 3, 1)], [sequence(7, 2)]], false, { padId: 2, padToMultipleOf: 4 });
    expect(batch).toEqual({
      inputIds: Int32Array.of(2, 2, 2, 2, 7, 7, 2, 2),
      labels: Int32Array.of(-100, 2, 2, -100, -100, 7, -100, -100),
      attentionMask: Int32Array.of(1, 1, 1, 0, 1, 1, 0, 0),
      shape: [2, 4],
      tokens: 3,
      examples: 2,
    });
    expect([...batchOf([[sequence(2, 1)], [sequence(7, 2)]], false, { padSide: "left" }).attentionMask!]).toEqual([0, 1, 1, 1]);
  });
  it("of packed rows begins positions anew, numbers documents, and trains none's beginning", () =>
    expect(batchOf([[sequence(3, 2), sequence(4, 3)], [sequence(5, 4)]], true, {}, 6)).toEqual({
      inputIds: Int32Array.of(3, 3, 4, 4, 4, 0, 5, 5, 5, 5, 0, 0),
      labels: Int32Array.of(-100, 3, -100, 4, 4, -100, -100, 5, 5, 5, -100, -100),
      attentionMask: Int32Array.of(1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0),
      positionIds: Int32Array.of(0, 1, 0, 1, 2, 0, 0, 1, 2, 3, 0, 0),
      segmentIds: Int32Array.of(1, 1, 2, 2, 2, 0, 1, 1, 1, 1, 0, 0),
      shape: [2, 6],
      tokens: 6,
      examples: 3,
    }));
});

it("a batch row by row has the fields that a model takes, and no others", () => {
  expect(batchRows(batchOf([[sequence(3, 2), sequence(4, 1)], [sequence(5, 2)]], true))).toEqual({
    inputIds: [Int32Array.of(3, 3, 4), Int32Array.of(5, 5, 0)],
    labels: [Int32Array.of(-100, 3, -100), Int32Array.of(-100, 5, -100)],
    attentionMask: [Int32Array.of(1, 1, 1), Int32Array.of(1, 1, 0)],
    positionIds: [Int32Array.of(0, 1, 0), Int32Array.of(0, 1, 0)],
    segmentIds: [Int32Array.of(1, 1, 2), Int32Array.of(1, 1, 0)],
  });
  expect(Object.keys(batchRows(batchOf([[sequence(3, 2)]], false)))).toEqual(["inputIds", "labels"]);
});

describe("packing", () => {
  it("takes the first row with room, the longest first", () =>
    expect(packRows([5, 3, 2, 6, 4], [0, 1, 2, 3, 4], { length: 8 })).toEqual([[3, 2], [0, 1], [4]]));
  it("in order closes a row when the next does not fit", () =>
    expect(packRows([5, 3, 2, 6, 4], [0, 1, 2, 3, 4], { length: 8, strategy: "in-order" })).toEqual([[0, 1], [2, 3], [4]]));
  it("first-fit needs at most 11/9 of the least rows, and one more", () => {
    const rows = packRows(
      LENGTHS,
      LENGTHS.map((_, i) => i),
      { length: 32 },
    );
    const least = Math.ceil(LENGTHS.reduce((a, b) => a + b) / 32);
    expect(rows.length).toBeLessThanOrEqual((11 / 9) * least + 1);
    for (const row of rows) expect(row.reduce((sum, i) => sum + LENGTHS[i]!, 0)).toBeLessThanOrEqual(32);
    expect(sorted(rows.flat())).toEqual(LENGTHS.map((_, i) => i));
  });
  it("refuses what is longer than a row", () =>
    expect(() => packRows([9], [0], { length: 8 })).toThrow(/example 0 has 9 tokens, a row has 8/));
});

const WAYS: [string, LoadOptions][] = [
  ["by size", { batchSize: 4, seed: 7 }],
  ["by tokens", { tokenBudget: 64, seed: 7 }],
  ["of like length", { batchSize: 4, bucketing: 8, seed: 7 }],
  ["packed", { batchSize: 2, packing: { length: 32 }, seed: 7 }],
  ["packed in order", { batchSize: 2, packing: { length: 32, strategy: "in-order" }, seed: 7 }],
  ["as they come", { batchSize: 4, shuffle: false }],
];

describe.each(WAYS)("batches %s", (_, options) => {
  it("have every example once an epoch, each epoch in another order unless they are to come as they do", async () => {
    const epochs = await Promise.all(
      [0, 1].map((epoch) =>
        collect(loadBatches(EXAMPLES, { ...options, epochs: epoch + 1, state: { seed: options.seed ?? 0, epoch, position: 0 } })),
      ),
    );
    const [first, second] = epochs.map((batches) => batches.flatMap(idsIn));
    const all = EXAMPLES.map((_, i) => i + 1);
    expect(sorted(first!)).toEqual(all);
    expect(sorted(second!)).toEqual(all);
    if (options.shuffle === false) expect(first).toEqual(all);
    else expect(first).not.toEqual(second);
    expect(epochs[0]!.length).toBe(batchesPerEpoch(EXAMPLES, options));
  });

  it("go on from every state with the batches that would have come", async () => {
    const whole = await collect(loadBatches(EXAMPLES, { ...options, epochs: 2 }));
    for (const at of [0, 1, Math.floor(whole.length / 2), whole.length - 2])
      expect(
        await collect(
          loadBatches(EXAMPLES, { ...options, epochs: 2, state: JSON.parse(JSON.stringify(whole[at]!.state)) as LoadedBatch["state"] }),
        ),
      ).toEqual(whole.slice(at + 1));
  });
});

describe("limits of batches", () => {
  it("a budget of tokens counts padding", () => {
    for (const batch of planEpoch(LENGTHS, { tokenBudget: 64, seed: 1 }, 0))
      expect(batch.length * Math.max(...batch.map(([i]) => LENGTHS[i!]!))).toBeLessThanOrEqual(64);
  });
  it("bucketing leaves less padding", () => {
    const padding = (bucketing: number): number =>
      planEpoch(LENGTHS, { batchSize: 4, bucketing }, 0).reduce((sum, batch) => {
        const sizes = batch.map(([i]) => LENGTHS[i!]!);
        return sum + sizes.reduce((wasted, one) => wasted + Math.max(...sizes) - one, 0);
      }, 0);
    expect(padding(25)).toBeLessThan(padding(0) / 5);
  });
  it("a last batch that is not full can be left out", () => {
    expect(planEpoch(LENGTHS, { batchSize: 10 }, 0).at(-1)!.length).toBe(7);
    expect(planEpoch(LENGTHS, { batchSize: 10, dropLast: true }, 0).every(({ length }) => length === 10)).toBe(true);
  });
  it.each<[string, LoadOptions, string]>([
    ["no size", {}, "dataset-option"],
    ["two sizes", { batchSize: 1, tokenBudget: 1 }, "dataset-option"],
    ["a budget below a row", { tokenBudget: 8 }, "dataset-option"],
    ["another seed than the state's", { batchSize: 1, seed: 2, state: { seed: 1, epoch: 0, position: 0 } }, "dataset-option"],
    ["an epoch without batch", { batchSize: 1000, dropLast: true }, "dataset-empty"],
  ])("%s", async (_, options, kind) =>
    expect(await failure(collect(loadBatches(EXAMPLES, { ...options, epochs: 1 })))).toMatchObject({ kind }),
  );
  it("no examples", async () => expect(await failure(collect(loadBatches([], { batchSize: 1 })))).toMatchObject({ kind: "dataset-empty" }));
});

describe("streams", () => {
  it("are shuffled within what is held, the same each time", async () => {
    const items = Array.from({ length: 100 }, (_, i) => i);
    const order = await collect(shuffleStream(items, { size: 10, seed: 3 }));
    expect(sorted(order)).toEqual(items);
    expect(order).not.toEqual(items);
    expect(await collect(shuffleStream(items, { size: 10, seed: 3 }))).toEqual(order);
    // Nothing comes before the stream has come to it.
    for (const [at, item] of order.entries()) expect(item).toBeLessThan(at + 11);
  });
  it("become batches as they come", async () => {
    const batches = await collect(
      streamBatches([sequence(1, 3), sequence(2, 2), sequence(3, 4), sequence(4, 1)], { batchSize: 2, packing: { length: 5 } }),
    );
    expect(batches.map(({ shape, examples }) => [...shape, examples])).toEqual([[2, 5, 4]]);
    expect([...batches[0]!.segmentIds!]).toEqual([1, 1, 1, 2, 2, 1, 1, 1, 1, 2]);
    const plain = await collect(streamBatches([sequence(1, 3), sequence(2, 2), sequence(3, 4)], { batchSize: 2 }));
    expect(plain.map(({ shape }) => shape)).toEqual([
      [2, 3],
      [1, 4],
    ]);
  });
});

describe("a split by key", () => {
  const people = Array.from({ length: 4000 }, (_, i) => ({ author: `author ${i % 1000}`, text: `text ${i}`, place: { line: i } }));
  it("has about the share, and leaves examples where they are when others come", () => {
    const { train, evaluation } = splitExamples(people, { share: 0.2 });
    expect(train.length + evaluation.length).toBe(4000);
    expect(Math.abs(evaluation.length - 800)).toBeLessThan(5 * Math.sqrt(4000 * 0.2 * 0.8));
    const fewer = splitExamples(people.slice(100), { share: 0.2 });
    expect(fewer.evaluation).toEqual(evaluation.filter(({ place }) => place.line >= 100));
    expect(isForEvaluation({ ...people[0]!, place: { line: 9 } }, { share: 0.2 })).toBe(isForEvaluation(people[0]!, { share: 0.2 }));
  });
  it("keeps together what has one key, and is another for another seed", () => {
    const parts = splitExamples(people, { share: 0.5, key: ({ author }) => author });
    const authors = new Set(parts.train.map(({ author }) => author));
    expect(parts.evaluation.some(({ author }) => authors.has(author))).toBe(false);
    expect(splitExamples(people, { share: 0.5, seed: 1 }).train).not.toEqual(splitExamples(people, { share: 0.5 }).train);
  });
});
