import { batchOf, batchRows } from "@weft/datasets";
import { LORA_METHODS } from "@weft/methods";
import type { CausalInputs, CausalOutput } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { flattenTree } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { device, fixture, gap, SMALL_LORA } from "../testing/fixtures.js";
import type { Batch } from "./batch.js";
import { train } from "./train.js";

const sequence = (length: number, from: number): { readonly ids: Int32Array; readonly labels: Int32Array } => {
  const ids = Int32Array.from({ length }, (_, i) => 3 + ((from + 5 * i) % 90));
  return { ids, labels: ids.map((id, i) => (i < 2 ? -100 : id)) };
};
const TEXTS = [sequence(9, 0), sequence(6, 31), sequence(12, 57), sequence(4, 8)];

it.each(["llama", "rwkv", "mamba"])("packed rows of %s train as padded ones do", async (name) => {
  const model = await loadPretrained(fixture("models", name), { device });
  const run = async (
    batch: Batch,
  ): Promise<{ readonly losses: readonly number[]; readonly tokens: number; readonly peft: { parameters(): object } }> => {
    const peft = await getPeftModel<CausalInputs, CausalOutput>(model as never, SMALL_LORA, { methods: LORA_METHODS, seed: 3 });
    const losses: number[] = [];
    let tokens = 0;
    for await (const record of train(peft, [batch], { maxSteps: 3, learningRate: 1e-3, optim: "sgd", lrSchedulerType: "constant" })) {
      losses.push(record.loss);
      tokens = record.trainedTokens;
    }
    return { losses, tokens, peft };
  };
  const [first, second, third, fourth] = TEXTS as [Text, Text, Text, Text];
  const padded = await run(batchRows(batchOf([[first], [second], [third], [fourth]], false)));
  const packed = await run(
    batchRows(
      batchOf(
        [
          [first, second],
          [third, fourth],
        ],
        true,
      ),
    ),
  );
  expect(packed.tokens).toBe(padded.tokens);
  packed.losses.forEach((loss, i) => expect(Math.abs(loss - padded.losses[i]!)).toBeLessThan(1e-6 * loss));
  const [a, b] = [packed, padded].map(({ peft }) => flattenTree(peft.parameters() as never).leaves);
  for (const [i, t] of a!.entries()) expect(await gap(t, b![i]!)).toBeLessThan(1e-6);
});

type Text = (typeof TEXTS)[number];
