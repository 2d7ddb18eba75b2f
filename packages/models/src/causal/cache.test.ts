import { compile, Device, ones, slice, tensor, type Tensor, zeros } from "@weft/tensor-core";
import { watch } from "@weft/tensor-core/testing";
import { WasmBackend } from "@weft/kernels-wasm";
import { describe, expect, test } from "vitest";
import { loadPretrained } from "../node/load-pretrained.js";
import { DEVICES, fixture, worstError } from "../testing.js";
import type { KeyValues } from "./inputs.js";
import { LLAMA, type LlamaForCausalLM } from "../llama/llama.js";
import { readLlamaConfig } from "../llama/config.js";
import { ropeFrequencies, ropeFrequenciesAt } from "../llama/rope.js";

const TOKENS = [3, 14, 15, 92, 65, 35, 8, 9, 7, 31, 41, 5];
const BATCH = [TOKENS, TOKENS.toReversed()];
/** Sums of f32 in another order, over two blocks. */
const TOLERANCE = 2e-6;

const idsOf = (device: Device, rows: readonly (readonly number[])[]): Tensor =>
  device.tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });

interface Decoder {
  readonly step: (ids: Tensor, position: number, mask?: Tensor) => Promise<Tensor>;
  /** How often the function was traced. */
  readonly traces: () => number;
  readonly dispose: () => void;
}

const freed = (cache: readonly KeyValues[]): void => cache.forEach(({ key, value }) => [key, value].forEach((t) => t.dispose()));

/** Passes of a model over a cache that each of them takes over from the one before. */
function decoder(model: LlamaForCausalLM, device: Device, capacity: number): Decoder {
  let traces = 0;
  const pass = compile(
    (inputIds: Tensor, position: Tensor, cache: readonly KeyValues[], attentionMask?: Tensor) => {
      traces++;
      const { logits, cache: next } = model.forward({ inputIds, position, cache, attentionMask, positions: TOKENS.length });
      return { logits, cache: next! };
    },
    { device, donate: [2] },
  );
  let cache: readonly KeyValues[] = model.emptyCache({ batch: 2, capacity });
  return {
    async step(ids, position, mask) {
      const at = device.tensor(Int32Array.of(position), { shape: [] });
      const { logits, cache: next } = await pass(ids, at, cache, mask);
      cache = next;
      at.dispose();
      return logits;
    },
    traces: () => traces,
    dispose() {
      pass.dispose();
      freed(cache);
    },
  };
}

describe.each(Object.keys(DEVICES))("on device %s", (deviceName) => {
  test.each(["llama", "llama_dynamic", "mistral_window", "gpt2"])(
    "%s: rows that begin at positions of their own, and of whose logits one is kept, give those of the whole rows",
    async (name) => {
      const device = await DEVICES[deviceName]!();
      const model = await loadPretrained(fixture(`models/${name}`), { device });
      // Frequencies that grow with the sequence would leave other keys in the cache than the whole sequence has.
      const given = name === "llama_dynamic" ? { positions: TOKENS.length } : {};
      const whole = model.forward({ inputIds: idsOf(device, BATCH), ...given }).logits;
      const numbers = (values: readonly number[]): Tensor => device.tensor(Int32Array.from(values), { shape: [values.length] });
      const filled = [5, 3];
      // The shorter row is filled up with what its next pass overwrites.
      const first = model.forward({
        inputIds: idsOf(device, [BATCH[0]!.slice(0, 5), [...BATCH[1]!.slice(0, 3), 1, 1]]),
        position: numbers([0, 0]),
        cache: model.emptyCache({ batch: 2, capacity: 16 }),
        logitsToKeep: numbers(filled.map((n) => n - 1)),
        ...given,
      });
      expect(first.logits.shape).toEqual([2, 1, model.config.vocabSize]);
      const at = (row: number, position: number): Tensor =>
        slice(whole, [
          [row, row + 1],
          [position, position + 1],
        ]);
      const rowOf = (logits: Tensor, row: number): Tensor => slice(logits, [[row, row + 1]]);
      for (const [row, n] of filled.entries()) expect(await worstError(rowOf(first.logits, row), at(row, n - 1))).toBeLessThan(TOLERANCE);
      let cache = first.cache!;
      for (let step = 0; step < 4; step++) {
        const inputIds = idsOf(
          device,
          filled.map((n, row) => [BATCH[row]![n + step]!]),
        );
        const next = model.forward({ inputIds, position: numbers(filled.map((n) => n + step)), cache, ...given });
        for (const [row, n] of filled.entries())
          expect(await worstError(rowOf(next.logits, row), at(row, n + step)), `row ${row}, token ${n + step}`).toBeLessThan(TOLERANCE);
        cache = next.cache!;
      }
    },
  );

  test.each(["llama", "llama_dynamic", "llama_yarn", "llama_tied_llama3", "mistral_window", "qwen3"])(
    "%s: several tokens, then one by one, give the logits of the whole sequence, by one plan for every position",
    async (model) => {
      const device = await DEVICES[deviceName]!();
      const llama = await loadPretrained(fixture(`models/${model}`), { architecture: LLAMA, device });
      const whole = llama.forward({ inputIds: idsOf(device, BATCH), positions: TOKENS.length }).logits;
      const { step, traces, dispose } = decoder(llama, device, 20);
      const first = await step(
        idsOf(
          device,
          BATCH.map((row) => row.slice(0, 5)),
        ),
        0,
      );
      expect(await worstError(first, slice(whole, [undefined, [0, 5]]))).toBeLessThan(TOLERANCE);
      for (let at = 5; at < TOKENS.length; at++) {
        const logits = await step(
          idsOf(
            device,
            BATCH.map((row) => [row[at]!]),
          ),
          at,
        );
        expect(await worstError(logits, slice(whole, [undefined, [at, at + 1]])), `token ${at}`).toBeLessThan(TOLERANCE);
      }
      expect(traces()).toBe(2);
      dispose();
    },
  );
});

test.each(["sdpa", "eager"] as const)("padding on the left is passed over, and is for good (%s)", async (attention) => {
  const device = await DEVICES["cpu"]!();
  const model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA, device, attention });
  const row = [0, 0, 0, ...TOKENS.slice(0, 6)];
  const inputIds = idsOf(device, [TOKENS.slice(0, 9), row]);
  const mask = (length: number): Tensor =>
    idsOf(device, [Array<number>(length).fill(1), Array.from({ length }, (_, i) => (i < 3 ? 0 : 1))]);
  const whole = model.forward({ inputIds, attentionMask: mask(9) }).logits;
  const { step, dispose } = decoder(model, device, 12);
  const room = mask(12);
  const first = await step(slice(inputIds, [undefined, [0, 4]]), 0, room);
  expect(await worstError(slice(first, [undefined, [3, 4]]), slice(whole, [undefined, [3, 4]]))).toBeLessThan(TOLERANCE);
  for (let at = 4; at < 9; at++) {
    const logits = await step(slice(inputIds, [undefined, [at, at + 1]]), at, room);
    expect(await worstError(logits, slice(whole, [undefined, [at, at + 1]])), `token ${at}`).toBeLessThan(TOLERANCE);
  }
  dispose();
});

test("keys and values in front, and virtual tokens, are kept with the rest", async () => {
  const device = await DEVICES["cpu"]!();
  const model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA, device });
  const { layers, keyValueHeads, headDim, hiddenSize } = model.config;
  const make = (shape: number[], seed: number): Tensor =>
    device.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i)),
      { shape },
    );
  const pastKeyValues = Array.from({ length: layers }, (_, i) => ({
    key: make([1, keyValueHeads, 3, headDim], i),
    value: make([1, keyValueHeads, 3, headDim], 9 + i),
  }));
  const virtualTokens = make([1, 2, hiddenSize], 5);
  const inputIds = idsOf(device, BATCH);
  const [head, next] = [slice(inputIds, [undefined, [0, 11]]), slice(inputIds, [undefined, [11, 12]])];
  const at = (n: number): Tensor => device.tensor(Int32Array.of(n), { shape: [] });
  for (const [front, inputs] of [
    [3, { pastKeyValues }],
    [0, { virtualTokens }],
    [3, { pastKeyValues, virtualTokens }],
  ] as const) {
    const virtual = "virtualTokens" in inputs ? 2 : 0;
    const whole = model.forward({ inputIds, ...inputs }).logits;
    const first = model.forward({ inputIds: head, ...inputs, cache: model.emptyCache({ batch: 2, capacity: 20 }), position: at(front) });
    expect(await worstError(first.logits, slice(whole, [undefined, [0, virtual + 11]]))).toBeLessThan(TOLERANCE);
    const { logits } = model.forward({ inputIds: next, cache: first.cache!, position: at(front + virtual + 11) });
    expect(await worstError(logits, slice(whole, [undefined, [virtual + 11, virtual + 12]]))).toBeLessThan(TOLERANCE);
  }
});

test("memory does not grow from token to token", async () => {
  const { backend, bytes } = watch(new WasmBackend({ threads: 1, relaxed: false }));
  const device = new Device(backend);
  const model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA, device });
  const { step, traces, dispose } = decoder(model, device, 64);
  const sizes = new Set<number>();
  for (let at = 0; at < 64; at++) {
    const ids = idsOf(device, [[at], [at + 7]]);
    const logits = await step(ids, at);
    for (const t of [ids, logits]) t.dispose();
    if (at > 0) sizes.add(bytes());
  }
  expect(sizes.size).toBe(1);
  expect(traces()).toBe(1);
  dispose();
  device.dispose();
});

test("frequencies whose number of positions is data are those of the number", async () => {
  const rope = { rope_type: "dynamic", factor: 2 };
  const long = {
    rope_type: "longrope",
    factor: 4,
    original_max_position_embeddings: 16,
    short_factor: [1, 1.1, 1.2, 1.3],
    long_factor: [2, 3, 4, 5],
  };
  for (const rope_scaling of [undefined, rope, long]) {
    const config = readLlamaConfig({
      model_type: "llama",
      hidden_size: 32,
      num_hidden_layers: 1,
      num_attention_heads: 4,
      intermediate_size: 32,
      vocab_size: 8,
      max_position_embeddings: 32,
      ...(rope_scaling && { rope_scaling }),
    });
    for (const positions of [1, 16, 17, 32, 33, 100]) {
      const want = ropeFrequencies(config, positions);
      const got = ropeFrequenciesAt(config, tensor(Int32Array.of(positions), { shape: [] }));
      expect(got.factor).toBe(want.factor);
      for (const [j, v] of (await got.inverse.data()).entries()) expect(Math.abs(v / want.inverse[j]! - 1)).toBeLessThan(1e-6);
    }
  }
});

test("what does not fit is refused", async () => {
  const model = await loadPretrained(fixture("models/llama"), { architecture: LLAMA });
  const cache = model.emptyCache({ batch: 2, capacity: 8 });
  const inputIds = tensor(Int32Array.from(TOKENS.slice(0, 6)), { shape: [2, 3] });
  const position = zeros([], "i32");
  const run = (inputs: object) => (): unknown => model.forward({ inputIds, cache, position, ...inputs });
  expect(run({ cache: undefined })).toThrow("position is given without cache");
  expect(run({ position: undefined })).toThrow("cache is given without position");
  expect(run({ position: zeros([3], "i32") })).toThrow("position is [3], expected one number, or one for each row, [2]");
  expect(run({ logitsToKeep: zeros([1], "i32") })).toThrow("logitsToKeep is [1], expected one for each row, [2]");
  expect(run({ cache: cache.slice(1) })).toThrow(`cache has ${cache.length - 1} layers`);
  expect(run({ cache: model.emptyCache({ capacity: 8 }) })).toThrow("expected [2, ");
  expect(run({ cache: model.emptyCache({ batch: 2, capacity: 2 }) })).toThrow("room for 2 positions, the input has 3");
  expect(run({ attentionMask: ones([2, 3], "i32") })).toThrow("expected [2,8]");
  const mirror = model.mirror({ layers: 1 });
  expect(() => mirror.hidden({ inputIds, cache, position } as never, {})).toThrow("keeps no keys and values");
});
