import { compile, type Device, ones, slice, type Tensor } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { LLAMA, type LlamaForCausalLM } from "../llama/llama.js";
import { loadPretrained } from "../node/load-pretrained.js";
import type { KeyValues } from "./inputs.js";
import { DEVICES, fixture, worstError } from "../testing.js";

const LENGTH = 40;
const BATCH = [7, 11].map((seed) => Array.from({ length: LENGTH }, (_, i) => (seed * 31 + i * i * 7 + 3 * i) % 90));
/** Of all fixtures. */
const WINDOW = 5;
const REWIND = 3;
/** Sums of f32 in another order, over a few blocks. */
const TOLERANCE = 2e-6;

const rowsOf = (device: Device, rows: readonly (readonly number[])[]): Tensor =>
  device.tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });

const numbers = (device: Device, values: readonly number[]): Tensor => device.tensor(Int32Array.from(values), { shape: [values.length] });

const open = (name: string, device: Device): Promise<LlamaForCausalLM> =>
  loadPretrained(fixture(`models/${name}`), { architecture: LLAMA, device });

type Pass = (ids: Tensor, position: Tensor, cache: readonly KeyValues[]) => Promise<{ logits: Tensor; cache: readonly KeyValues[] }>;

/** Passes over a cache that is written where it lies. */
const passes = (model: LlamaForCausalLM, device: Device): Pass =>
  compile(
    (inputIds: Tensor, position: Tensor, given: readonly KeyValues[]) => {
      const { logits, cache } = model.forward({ inputIds, position, cache: given });
      return { logits, cache: cache! };
    },
    { device, donate: [2] },
  );

const cells = (t: Tensor, row: number, from: number, to: number): Tensor =>
  slice(t, [
    [row, row + 1],
    [from, to],
  ]);

describe.each(Object.keys(DEVICES))("on device %s", (deviceName) => {
  test.each(["mistral_window", "gemma2", "gemma3_text"])(
    "%s: layers with a window keep the window, and give the logits of whole rows",
    async (name) => {
      const device = await DEVICES[deviceName]!();
      const model = await open(name, device);
      const whole = model.forward({ inputIds: rowsOf(device, BATCH) }).logits;
      const pass = passes(model, device);
      let cache: readonly KeyValues[] = model.emptyCache({ batch: 2, capacity: 48, rewind: REWIND });
      for (const [i, { key, value }] of cache.entries())
        for (const t of [key, value]) expect(t.shape[2]).toBe(model.config.windows[i] === undefined ? 48 : WINDOW + REWIND);
      // Pieces shorter and longer than what is kept, and single tokens; the second row stays behind the first.
      const at = [0, 0];
      for (const [a, b, length] of [
        [6, 4, 6],
        [1, 1, 1],
        [1, 1, 1],
        [19, 18, 19],
        [2, 2, 2],
        [1, 1, 1],
      ] as const) {
        const counts = [a, b];
        // The shorter row is filled up with what its next pass overwrites.
        const inputIds = rowsOf(
          device,
          BATCH.map((row, r) => [...row.slice(at[r], at[r]! + counts[r]!), ...Array<number>(length - counts[r]!).fill(1)]),
        );
        const next = await pass(inputIds, numbers(device, at), cache);
        for (const row of [0, 1]) {
          const [from, to] = [at[row]!, at[row]! + counts[row]!];
          expect(
            await worstError(cells(next.logits, row, 0, to - from), cells(whole, row, from, to)),
            `row ${row} from ${from}`,
          ).toBeLessThan(TOLERANCE);
          at[row] = to;
        }
        cache = next.cache;
      }
      expect(at).toEqual([30, 27]);
    },
  );

  test("a sequence goes back as far as was asked for, and tokens that it gives up leave nothing", async () => {
    const device = await DEVICES[deviceName]!();
    const model = await open("mistral_window", device);
    const inputIds = rowsOf(device, BATCH);
    const whole = model.forward({ inputIds }).logits;
    const pass = passes(model, device);
    const at = (n: number): Tensor => device.tensor(Int32Array.of(n), { shape: [] });
    const ids = (from: number, to: number): Tensor => slice(inputIds, [undefined, [from, to]]);
    const first = await pass(ids(0, 20), at(0), model.emptyCache({ batch: 2, capacity: 48, rewind: REWIND }));
    const wrong = rowsOf(device, [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    const back = await pass(ids(20, 21), at(20), (await pass(wrong, at(20), first.cache)).cache);
    const { logits } = await pass(ids(21, 22), at(21), back.cache);
    expect(await worstError(logits, slice(whole, [undefined, [21, 22]]))).toBeLessThan(TOLERANCE);
  });
});

test("padding on the left and what stands in front go through the window, too", async () => {
  const device = await DEVICES["cpu"]!();
  const model = await open("gemma2", device);
  const { layers, keyValueHeads, headDim } = model.config;
  const make = (seed: number): Tensor =>
    device.tensor(
      Float32Array.from({ length: keyValueHeads * 3 * headDim }, (_, i) => Math.sin(seed + i)),
      { shape: [1, keyValueHeads, 3, headDim] },
    );
  const pastKeyValues = Array.from({ length: layers }, (_, i) => ({ key: make(i), value: make(9 + i) }));
  const inputIds = rowsOf(device, BATCH);
  const at = (n: number): Tensor => device.tensor(Int32Array.of(n), { shape: [] });
  const masked = (length: number): Tensor =>
    rowsOf(device, [Array<number>(length).fill(1), Array.from({ length }, (_, i) => (i > 2 && i < 21 ? 0 : 1))]);
  const whole = model.forward({ inputIds, pastKeyValues, attentionMask: masked(LENGTH + 3) }).logits;
  const cached = { attentionMask: masked(48), cache: model.emptyCache({ batch: 2, capacity: 48, rewind: REWIND }), position: at(3) };
  let { logits, cache } = model.forward({ inputIds: slice(inputIds, [undefined, [0, 20]]), pastKeyValues, ...cached });
  // Of the padded row nothing is compared that stands on padding.
  expect(await worstError(cells(logits, 0, 0, 20), cells(whole, 0, 0, 20))).toBeLessThan(TOLERANCE);
  for (let i = 20; i < 28; i++) {
    ({ logits, cache } = model.forward({
      inputIds: slice(inputIds, [undefined, [i, i + 1]]),
      attentionMask: masked(48),
      cache: cache!,
      position: at(i + 3),
    }));
    for (const row of [0, 1])
      expect(await worstError(cells(logits, row, 0, 1), cells(whole, row, i, i + 1)), `row ${row}, token ${i}`).toBeLessThan(TOLERANCE);
  }
});

test("a cache that is too small for the window is refused", async () => {
  const model = await open("gemma2", await DEVICES["cpu"]!());
  const [small, large] = [model.emptyCache({ capacity: 4 }), model.emptyCache({ capacity: 20 })];
  const run = (cache: typeof small): unknown => model.forward({ inputIds: ones([1, 2], "i32"), position: ones([], "i32"), cache });
  expect(() => run([small[0]!, large[1]!])).toThrow("expected [1, ");
  expect(run([large[0]!, large[1]!])).toBeDefined();
});
