import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Executor } from "@weft/agent";
import { afterAll, expect, it } from "vitest";
import { agent } from "./agent.js";
import { lycoris } from "./lycoris.js";
import { mixedAdapters } from "./mixed-adapters.js";
import { modelLoader } from "./model-loader.js";
import { pipeline } from "./pipeline.js";
import { qlora } from "./qlora.js";
import { quantisation } from "./quantisation.js";
import { recurrent } from "./recurrent.js";

const root = mkdtempSync(join(tmpdir(), "weft-examples-"));
afterAll(() => rmSync(root, { recursive: true }));
const folder = (): string => mkdtempSync(join(root, "one-"));
const tell = (): void => undefined;

it("QLoRA: a model in four bits learns verse", async () => {
  const { before, after } = await qlora(folder(), tell);
  expect(after).toBeLessThan(before - 0.1);
});

it("recurrent models write, and what they keep does not grow with the text", async () => {
  for (const { name, text, short, long } of await recurrent(tell)) {
    expect(text.length).toBeGreaterThan(10);
    expect(long / short).toBe(name === "llama" ? 16 : 1);
  }
});

it("quantisation: fewer bytes, and hardly more loss", async () => {
  const [whole, ...packed] = await quantisation(folder(), tell);
  for (const { bytes, loss } of packed) {
    expect(bytes).toBeLessThan(whole!.bytes / 2);
    expect(Math.abs(loss - whole!.loss)).toBeLessThan(0.2);
  }
});

it("an agent of a model that knows no tools calls one, and its answer is no more than it was checked to be", async () => {
  await using executor = new Executor({ program: new URL("../../packages/agent/dist/worker/worker.js", import.meta.url) });
  const { result, replayed } = await agent(executor, tell);
  const calls = result.trace.flatMap((event) => (event.type === "call" ? [event] : []));
  expect(calls.length).toBeGreaterThan(0);
  expect(calls.every(({ result: { ok } }) => ok)).toBe(true);
  expect(result.status === "verified").toBe(result.answer === "42");
  expect(result.claims.length).toBe(1);
  expect(replayed).toBe(true);
});

it("one model is the same wherever it comes from", async () => {
  const texts = await modelLoader(folder(), tell);
  expect(texts).toHaveLength(4);
  expect(new Set(texts).size).toBe(1);
  expect(texts[0]!.length).toBeGreaterThan(10);
});

it("requests with several adapters in one batch are answered as each alone", async () => {
  const { together, alone } = await mixedAdapters(folder(), tell);
  expect(together).toEqual(alone);
  expect(new Set(together).size).toBe(4);
});

it("a pipeline from a text to a server", async () => {
  const { base, adapter, merged, quantized, answer } = await pipeline(folder(), tell);
  expect(adapter).toBeLessThan(base - 0.1);
  expect(merged).toBeCloseTo(adapter, 3);
  expect(quantized).toBeCloseTo(adapter, 1);
  expect(answer.length).toBeGreaterThan(5);
});

it("a LoKr of Stable Diffusion becomes one of PEFT's, with the same changes", async () => {
  const { names, error } = await lycoris(folder(), tell);
  expect(names).toContain("base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lokr_w1");
  expect(names).toHaveLength(9);
  expect(error).toBeLessThan(1e-6);
});
