import {
  add,
  concat,
  type Device,
  evaluate,
  gradients,
  mul,
  reshape,
  slice,
  softmaxCrossEntropy,
  tensor,
  type Tensor,
} from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import type { CausalLM } from "./causal/causal-lm.js";
import { loadPretrained } from "./node/load-pretrained.js";
import { DEVICES, fixture, worstError } from "./testing.js";

const NAMES = ["llama", "mistral_window", "qwen3", "gpt2", "rwkv", "mamba", "mamba2"];
/** Two rows of documents, of which one is a single token; some begin and end within the chunks of 8 steps of the Mamba-2 fixture, and go on through several. */
const ROWS = [
  [[3, 14, 15, 92], [9], [79, 32, 38, 46, 26, 43, 38, 32, 79, 50, 28, 84, 19, 71], [69, 39, 93, 75, 10]],
  [
    [27, 18, 28],
    [18, 28, 45, 90, 45, 23, 53, 60],
    [28, 74, 71, 35, 26, 62, 49, 77, 57, 24, 70, 93, 69],
  ],
];
/** Of the mean loss. */
const LOSS_TOLERANCE = 1e-6;
/** Of every logit and every gradient: sums of f32 in another order over two blocks. */
const TOLERANCE = 5e-6;

const matrix = (rows: readonly (readonly number[])[], device: Device): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], device });

/** Packed rows: the tokens, which document each is of, and the labels, of which the first of a document is none. */
function packed(device: Device): { inputIds: Tensor; segmentIds: Tensor; labels: Tensor } {
  return {
    inputIds: matrix(
      ROWS.map((row) => row.flat()),
      device,
    ),
    segmentIds: matrix(
      ROWS.map((row) => row.flatMap((document, i) => document.map(() => i + 1))),
      device,
    ),
    labels: matrix(
      ROWS.map((row) => row.flatMap((document) => document.map((id, i) => (i === 0 ? -100 : id)))),
      device,
    ),
  };
}

/** The mean loss of the next tokens. */
function loss(logits: Tensor, labels: Tensor): Tensor {
  const [batch, length, vocabulary] = logits.shape as [number, number, number];
  const flat = [batch * (length - 1), vocabulary];
  return softmaxCrossEntropy(
    reshape(slice(logits, [undefined, [0, length - 1]]), flat),
    reshape(slice(labels, [undefined, [1, length]]), [flat[0]!]),
  );
}

/** The same of each document alone, over all their tokens. */
function lossAlone(model: CausalLM, device: Device): { loss: Tensor; logits: Tensor[] } {
  const documents = ROWS.flat();
  const logits = documents.map((document) => model.forward({ inputIds: matrix([document], device) }).logits);
  const many = documents.filter(({ length }) => length > 1);
  const count = many.reduce((sum, { length }) => sum + length - 1, 0);
  const parts = many.map((document) =>
    mul(loss(logits[documents.indexOf(document)]!, matrix([document], device)), (document.length - 1) / count),
  );
  return { loss: parts.reduce((a, b) => add(a, b)), logits };
}

describe("documents in one row give the logits, losses and gradients that each gives alone", () => {
  test.each(NAMES)("%s", async (name) => {
    const device = await DEVICES["cpu"]!();
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const { inputIds, segmentIds, labels } = packed(device);
    const together = model.forward({ inputIds, segmentIds });
    const alone = lossAlone(model, device);
    const length = inputIds.shape[1]!;
    const rows = ROWS.map((row, i) =>
      concat(
        row.map((_, j) => alone.logits[ROWS.slice(0, i).flat().length + j]!),
        1,
      ),
    );
    expect(await worstError(together.logits, concat(rows, 0))).toBeLessThan(TOLERANCE);
    expect(rows[0]!.shape[1]).toBe(length);
    const [a, b] = [loss(together.logits, labels), alone.loss];
    expect(Math.abs((await a.data())[0]! - (await b.data())[0]!)).toBeLessThan(LOSS_TOLERANCE);
    const weights = [...model.weights.values()];
    const [ours, theirs] = [gradients(a, weights), gradients(b, weights)];
    await evaluate(together.logits, a, b, ...ours, ...theirs);
    for (const [i, path] of [...model.weights.keys()].entries())
      expect(await worstError(ours[i]!, theirs[i]!), path).toBeLessThan(TOLERANCE);
    device.dispose();
  });
});

test("what stands in front of a row, and ids of another shape, are refused", async () => {
  const device = await DEVICES["cpu"]!();
  for (const name of ["llama", "mamba"]) {
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const { inputIds, segmentIds } = packed(device);
    const cache = model.emptyCache({ batch: 2, capacity: 32 });
    const position = tensor(Int32Array.of(0), { shape: [], device });
    expect(() => model.forward({ inputIds, segmentIds, cache, position })).toThrow(/segmentIds and cache/);
    expect(() => model.forward({ inputIds, segmentIds: slice(segmentIds, [[0, 1]]) })).toThrow(/segmentIds is \[1,24\], expected \[2,24\]/);
  }
  device.dispose();
});
