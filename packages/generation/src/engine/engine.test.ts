import { WasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import type { CausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { Device, tensor } from "@weft/tensor-core";
import { watch } from "@weft/tensor-core/testing";
import { expect, test } from "vitest";
import type { AdaptedCausalLM } from "./batch-decoder.js";
import { GenerationEngine } from "./engine.js";
import { promptLookup } from "./prompt-lookup.js";
import { best, device, expected, fixture, greedy, load, prompt } from "./testing.js";

test.each(["llama", "mistral_window", "qwen2", "gpt2", "rwkv", "mamba", "mamba2"])(
  "%s: requests of many lengths that come while others run give what each gives alone, without a cache",
  async (name) => {
    const model = await load(name);
    const engine = new GenerationEngine(model, { maxBatch: 4 });
    const requests = [1, 5, 13, 37, 6, 2].map((length, i) => greedy(prompt(length, i), 3 + i));
    const first = requests.slice(0, 2).map((request) => engine.run(request));
    await first[0];
    await Promise.all([...first, ...requests.slice(2).map((request) => engine.run(request))]);
    for (const { tokens, chosen, maxNewTokens } of requests) expect(chosen).toEqual(await expected(model, tokens, maxNewTokens));
    const { running, waiting, generatedTokens, steps } = engine.counts;
    expect({ running, waiting, generatedTokens }).toEqual({ running: 0, waiting: 0, generatedTokens: 33 });
    expect(steps).toBeLessThan(33 - requests.length);
    await engine.dispose();
  },
);

test.each(["llama", "mistral_window", "gpt2"])("%s: prompts of about one length that come together are run together", async (name) => {
  const model = await load(name);
  const engine = new GenerationEngine(model, { maxBatch: 4 });
  const requests = [6, 8, 5, 7].map((length, i) => greedy(prompt(length, i), 5));
  await Promise.all(requests.map((request) => engine.run(request)));
  for (const { tokens, chosen } of requests) expect(chosen).toEqual(await expected(model, tokens, 5));
  // The first token of each comes with the one pass of all prompts.
  expect(engine.counts.steps).toBe(4);
  expect(engine.counts.promptTokens).toBe(26);
  await engine.dispose();
});

async function adapted(names: readonly string[], types: readonly string[] = ["LORA"]): Promise<AdaptedCausalLM> {
  const model = await load("llama");
  const config = (i: number): object => ({ peftType: types[i % types.length]!, targetModules: ["q_proj", "v_proj", "down_proj"] });
  const peft = await getPeftModel(model, { ...config(0), initLoraWeights: false } as never, { methods: ADAPTER_METHODS, seed: 1 });
  for (const [i, name] of names.entries())
    await peft.addAdapter(name, { ...config(i), initLoraWeights: false, r: 4 + i } as never, { seed: 5 + i });
  return peft as unknown as AdaptedCausalLM;
}

test("each row of a batch has its own adapter, also one that comes while others run", async () => {
  const peft = await adapted(["a", "b", "c"]);
  const engine = new GenerationEngine(peft, { adapters: ["a", "b"], maxBatch: 8 });
  const names = ["a", "b", "__base__", "a", "b", undefined];
  const requests = names.map((adapter, i) => greedy(prompt(4 + i, i), 6, { adapter }));
  await expect(engine.run(greedy([1], 1, { adapter: "c" }))).rejects.toThrow('no adapter is called "c"');
  const running = requests.map((request) => engine.run(request));
  await running[0];
  await engine.setAdapters(["c", "b", "a"]);
  const late = greedy(prompt(9, 2), 5, { adapter: "c" });
  await Promise.all([...running, engine.run(late)]);
  const answers = new Set<string>();
  for (const { tokens, chosen, adapter = "__base__", maxNewTokens } of [...requests, late]) {
    if (adapter === "__base__") peft.disableAdapters();
    else peft.setAdapter(adapter);
    expect(chosen).toEqual(await expected(peft, tokens, maxNewTokens));
    answers.add(`${adapter} ${chosen.join()}`);
    peft.enableAdapters();
  }
  expect(answers.size).toBeGreaterThan(4);
  await engine.dispose();
});

test("an adapter that waits for its invocation tokens acts from there on, and nowhere without them", async () => {
  const config = { peftType: "LORA", targetModules: ["q_proj", "v_proj"], initLoraWeights: false, aloraInvocationTokens: [9, 10] };
  const peft = await getPeftModel(await load("llama"), config as never, { methods: ADAPTER_METHODS, seed: 2 });
  await peft.addAdapter("plain", { ...config, aloraInvocationTokens: null } as never, { seed: 3 });
  const prompts = [[...prompt(11, 1), 9, 10, 4], prompt(11, 1), [9, 10, ...prompt(7, 2)]];
  for (const adapters of [undefined, ["default", "plain"]]) {
    const engine = new GenerationEngine(peft as never, adapters && { adapters });
    const requests = prompts.map((tokens) => greedy(tokens, 6, adapters && { adapter: "default" }));
    // One after the other, so that the second finds the beginning of the first in the cache, then all at once.
    for (const request of requests) await engine.run(request);
    expect(engine.counts.reusedTokens).toBe(10);
    const again = requests.map(({ tokens }) => greedy(tokens, 6, adapters && { adapter: "default" }));
    await Promise.all(again.map((request) => engine.run(request)));
    for (const [i, { tokens, chosen }] of requests.entries()) {
      expect(again[i]!.chosen).toEqual(chosen);
      // The tokens that are generated stand behind the invocation, and are none.
      expect(chosen).toEqual(await expected(peft as never, tokens, 6));
    }
    await engine.dispose();
  }
});

test("a prompt that goes on where another ended finds that in the cache", async () => {
  for (const name of ["llama", "mamba"]) {
    const model = await load(name);
    const engine = new GenerationEngine(model);
    const first = greedy(prompt(20, 1), 5);
    await engine.run(first);
    const longer = [...first.tokens, ...first.chosen, 7, 8];
    const next = greedy(longer, 5);
    await engine.run(next);
    // Of the last token that was chosen nothing has been run.
    expect(engine.counts.reusedTokens).toBe(24);
    expect(next.chosen).toEqual(await expected(model, longer, 5));
    const other = greedy(prompt(20, 2), 5);
    await engine.run(other);
    expect(engine.counts.reusedTokens).toBe(24);
    expect(other.chosen).toEqual(await expected(model, other.tokens, 5));
    await engine.dispose();
  }
});

test("right guesses save steps, wrong ones change nothing", async () => {
  const model = await load("llama");
  const engine = new GenerationEngine(model);
  const tokens = prompt(6, 3);
  const want = await expected(model, tokens, 12);
  const guess =
    (wrongAfter: number) =>
    (all: readonly number[]): number[] => {
      const at = all.length - tokens.length;
      return [...want.slice(at, at + wrongAfter), 61, 62].slice(0, 4);
    };
  for (const wrongAfter of [0, 2, 4]) {
    const before = engine.counts;
    const request = greedy(tokens, 12, { draft: guess(wrongAfter) });
    const beside = greedy(prompt(5, 8), 12);
    await Promise.all([engine.run(request), engine.run(beside)]);
    expect(request.chosen).toEqual(want);
    expect(beside.chosen).toEqual(await expected(model, beside.tokens, 12));
    expect(engine.counts.acceptedDrafts - before.acceptedDrafts > 0).toBe(wrongAfter > 0);
  }
  await engine.dispose();
});

test("a prompt in front of the tokens, and keys and values in front, go into the cache once", async () => {
  const model = await load("llama");
  for (const peftType of ["PROMPT_TUNING", "PREFIX_TUNING"]) {
    const peft = await getPeftModel(model, { peftType, numVirtualTokens: 3, taskType: "CAUSAL_LM" } as never, {
      methods: ADAPTER_METHODS,
      seed: 3,
    });
    const engine = new GenerationEngine(peft as never);
    const requests = [5, 3].map((length, i) => greedy(prompt(length, i), 6));
    await Promise.all(requests.map((request) => engine.run(request)));
    for (const { tokens, chosen } of requests) {
      const all = [...tokens];
      for (let i = 0; i < 6; i++) {
        const { logits } = peft.forward({ inputIds: tensor(Int32Array.from(all), { shape: [1, all.length], device }) });
        all.push(best((await logits.data()).subarray(-logits.shape[2]!) as Float32Array));
      }
      expect(chosen).toEqual(all.slice(tokens.length));
    }
    await engine.dispose();
  }
});

test("a request that is cancelled, or whose choice fails, ends alone", async () => {
  const model = await load("llama");
  const engine = new GenerationEngine(model, { maxBatch: 2, maxWaiting: 2 });
  const controller = new AbortController();
  const cancelled = greedy(prompt(4, 1), 100, { signal: controller.signal });
  const failing = greedy(prompt(4, 2), 5, {
    choose: () => {
      throw new RangeError("no choice");
    },
  });
  const good = greedy(prompt(7, 3), 8);
  const runs = [engine.run(cancelled), engine.run(failing)];
  await expect(runs[1]).rejects.toThrow("no choice");
  const last = engine.run(good);
  controller.abort();
  await expect(runs[0]).rejects.toMatchObject({ name: "CancelledError" });
  await last;
  expect(good.chosen).toEqual(await expected(model, good.tokens, 8));
  expect(cancelled.chosen.length).toBeLessThan(100);

  const many = [1, 2, 3, 4, 5].map((seed) => engine.run(greedy(prompt(3, seed), 4)));
  const settled = await Promise.allSettled(many);
  expect(settled.filter(({ status }) => status === "rejected")).toMatchObject([
    { reason: { kind: "busy" } },
    { reason: { kind: "busy" } },
    { reason: { kind: "busy" } },
  ]);
  await engine.dispose();
  await expect(engine.run(good)).rejects.toMatchObject({ kind: "disposed" });
});

test("a pass that fails ends the requests under way, and none after it", async () => {
  const model = await load("llama");
  let failing = true;
  const flawed = Object.create(model, {
    forward: {
      value: (inputs: never) => {
        if (failing) throw new RangeError("the device is gone");
        return model.forward(inputs);
      },
    },
  }) as CausalLM;
  const engine = new GenerationEngine(flawed);
  const runs = [1, 2].map((seed) => engine.run(greedy(prompt(5, seed), 4)));
  for (const run of runs) await expect(run).rejects.toThrow("the device is gone");
  failing = false;
  const next = greedy(prompt(5, 3), 4);
  await engine.run(next);
  expect(next.chosen).toEqual(await expected(model, next.tokens, 4));
  await engine.dispose();
});

test("what cannot be run is refused before it waits", async () => {
  const model = await load("llama");
  const { vocabSize } = model.config;
  const engine = new GenerationEngine(model, { contextLength: 50 });
  await expect(engine.run(greedy([], 1))).rejects.toThrow("no tokens to begin with");
  await expect(engine.run(greedy([vocabSize], 1))).rejects.toThrow(`a token ${vocabSize}, but the model's vocabulary has ${vocabSize}`);
  await expect(engine.run(greedy([1], 0))).rejects.toThrow("maxNewTokens is 0");
  await expect(engine.run(greedy(prompt(30, 1), 21))).rejects.toMatchObject({ kind: "context-length" });
  await expect(engine.run(greedy([1], 1, { adapter: "a" }))).rejects.toThrow("made without `adapters`");
  expect(() => new GenerationEngine({} as never)).toThrow("emptyCache");
  await engine.dispose();
});

test("memory does not grow from request to request, and all is freed", async () => {
  const { backend, bytes } = watch(new WasmBackend({ threads: 1, relaxed: false }));
  const own = new Device(backend);
  const model = await loadPretrained(fixture("models/llama"), { device: own });
  const weights = bytes();
  const engine = new GenerationEngine(model);
  const sizes = new Set<number>();
  for (let i = 0; i < 4; i++) {
    await engine.run(greedy(prompt(9, i), 20));
    sizes.add(bytes());
  }
  expect(sizes.size).toBe(1);
  await engine.dispose();
  expect(bytes()).toBe(weights);
  own.dispose();
});

test("guesses are what followed where the end of the text stood before", () => {
  const guess = promptLookup({ numTokens: 3 });
  expect(guess([1, 2, 3, 9, 8, 7, 1, 2, 3])).toEqual([9, 8, 7]);
  // The longest end counts, and of several places the latest.
  expect(guess([5, 6, 1, 7, 6, 2, 5, 6])).toEqual([1, 7, 6]);
  expect(guess([4, 1, 4, 2, 4])).toEqual([2, 4]);
  expect(guess([1, 2, 3])).toEqual([]);
});
