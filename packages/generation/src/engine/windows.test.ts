import type { CausalLM, LayerCache } from "@weft/models";
import { expect, test } from "vitest";
import { GenerationEngine } from "./engine.js";
import { expected, greedy, load, prompt } from "./testing.js";

/** A model that tells how many positions the caches of its passes hold, layer by layer. */
function watched(model: CausalLM): { readonly model: CausalLM; readonly positions: () => readonly number[] } {
  let last: readonly LayerCache[] = [];
  const forward: CausalLM["forward"] = (inputs, hook) => {
    last = inputs.cache ?? last;
    return model.forward(inputs, hook);
  };
  return {
    model: Object.create(model, { forward: { value: forward } }) as CausalLM,
    positions: () => last.map(({ key }) => key!.shape[2]!),
  };
}

test.each(["mistral_window", "gemma2", "gemma3_text"])(
  "%s: prompts and answers far longer than the window give what they give without a cache, guesses and reuse included",
  async (name) => {
    const { model, positions } = watched(await load(name));
    const { windows } = model.config as unknown as { windows: readonly (number | undefined)[] };
    const engine = new GenerationEngine(model, { maxBatch: 2 });
    const long = greedy(prompt(150, 1), 8);
    const beside = greedy(prompt(5, 2), 90);
    await Promise.all([engine.run(long), engine.run(beside)]);
    for (const { tokens, chosen } of [long, beside]) expect(chosen).toEqual(await expected(model, tokens, chosen.length));
    // 158 positions, of which layers with a window keep 5, and 64 to go back.
    expect(positions()).toEqual(windows.map((window) => (window === undefined ? 256 : 69)));

    const follows = [...long.tokens, ...long.chosen, 3, 4];
    const want = await expected(model, follows, 6);
    const wrong = greedy(follows, 6, { draft: (all) => (all.length % 2 === 0 ? [want[all.length - follows.length]!, 61, 62] : []) });
    await engine.run(wrong);
    expect(wrong.chosen).toEqual(want);
    expect(engine.counts.reusedTokens).toBe(157);
    await engine.dispose();
  },
);

test("a window that no longer holds what a prompt goes back to is filled anew; one that does is not", async () => {
  const model = await load("mistral_window");
  const engine = new GenerationEngine(model, { maxBatch: 1 });
  let reused = 0;
  for (const [same, found] of [
    [140, 140],
    [30, 0],
  ] as const) {
    const first = greedy(prompt(150, 1 + same), 4);
    await engine.run(first);
    const tokens = [...first.tokens.slice(0, same), ...prompt(10, 7 + same)];
    const next = greedy(tokens, 3);
    await engine.run(next);
    expect(next.chosen, `${same} tokens`).toEqual(await expected(model, tokens, 3));
    expect(engine.counts.reusedTokens - reused, `${same} tokens`).toBe(found);
    reused = engine.counts.reusedTokens;
  }
  await engine.dispose();
});

test("the cache grows with what a sequence takes, not with what it may take", async () => {
  const { model, positions } = watched(await load("llama"));
  const engine = new GenerationEngine(model);
  const short = greedy(prompt(10, 1), 200, { choose: () => ({ token: 7, done: true }) });
  await engine.run(short);
  expect(new Set(positions())).toEqual(new Set([128]));
  const long = greedy(prompt(10, 2), 120);
  await engine.run(long);
  expect(long.chosen).toEqual(await expected(model, long.tokens, 120));
  expect(new Set(positions())).toEqual(new Set([256]));
  await engine.dispose();
});
