import { fileURLToPath } from "node:url";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadPretrained } from "@weft/models/node";
import { Device, tensor } from "@weft/tensor-core";
import { expect, test } from "vitest";
import { TokenScorer } from "./token-scorer.js";

const fixture = (path: string): string => fileURLToPath(new URL(`../../../../fixtures/${path}`, import.meta.url));

test.each(["llama", "mamba"])(
  "%s: each token's log-probability is that of the softmax behind the tokens that it may look back on",
  async (name) => {
    const device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const tokens = Array.from({ length: 23 }, (_, i) => (i * i * 7 + 3 * i) % model.config.vocabSize);
    const logprob = async (before: readonly number[], next: number): Promise<number> => {
      const { logits } = model.forward({ inputIds: tensor(Int32Array.from(before), { shape: [1, before.length], device }) });
      const last = [...(await logits.data()).subarray(-model.config.vocabSize)];
      return last[next]! - Math.log(last.reduce((total, v) => total + Math.exp(v), 0));
    };
    const whole = new TokenScorer(model);
    const scores = await whole.logprobs(tokens);
    expect(scores).toHaveLength(22);
    for (let i = 1; i < tokens.length; i++)
      expect(Math.abs(scores[i - 1]! - (await logprob(tokens.slice(0, i), tokens[i]!)))).toBeLessThan(1e-4);
    expect(await whole.continuation(tokens.slice(0, 20), tokens.slice(20))).toEqual(scores.subarray(19));
    whole.dispose();

    // Pieces of 8 that go on by 4: the first knows 8 tokens, then each the last 4.
    const pieces = new TokenScorer(model, { contextLength: 8, stride: 4 });
    const short = await pieces.logprobs(tokens);
    for (const i of [7, 8, 11, 12, 22]) {
      const from = i < 8 ? 0 : Math.floor((i - 4) / 4) * 4;
      expect(Math.abs(short[i - 1]! - (await logprob(tokens.slice(from, i), tokens[i]!))), `token ${i}`).toBeLessThan(1e-4);
    }
    await expect(pieces.logprobs([1, model.config.vocabSize])).rejects.toThrow("a token " + model.config.vocabSize);
    pieces.dispose();
    expect(() => new TokenScorer(model, { contextLength: 8, stride: 9 })).toThrow("stride is 9");
    device.dispose();
  },
);
