import { compile, type Device, reshape, slice, stack, type Tensor, tensor } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import type { LayerCache } from "./causal/inputs.js";
import type { MambaState } from "./mamba/backbone.js";
import { loadPretrained } from "./node/load-pretrained.js";
import type { RwkvState } from "./rwkv.js";
import { DEVICES, fixture, fixtureTensors, worstError } from "./testing.js";

const NAMES = ["rwkv", "mamba", "mamba2"];
/** One order of summation for another, over two blocks. */
const TOLERANCE = 5e-6;
const BATCH = [
  [3, 14, 15, 92, 65, 35, 8, 9, 7],
  [31, 41, 5, 9, 2, 6, 53, 58, 9],
];
const idsOf = (rows: readonly (readonly number[])[], device?: Device): Tensor =>
  tensor(Int32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length], ...(device && { device }) });
const lastOf = (logits: Tensor): Tensor => slice(logits, [undefined, [logits.shape[1]! - 1, logits.shape[1]!]]);

describe.each(NAMES)("%s", (name) => {
  test("states after a pass are those of transformers", async () => {
    const device = await DEVICES["cpu"]!();
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const ref = await fixtureTensors(`models/${name}/ref.safetensors`, device);
    const inputIds = ref.get("input_ids")!;
    const { cache } = model.forward({ inputIds, cache: model.emptyCache({ batch: 2, capacity: 0 }) });
    if (name === "rwkv") {
      // transformers has one tensor per state, with the layers at the last axis.
      const layers = cache as readonly RwkvState[];
      const names = ["feedForwardShift", "attentionShift", "numerator", "denominator", "exponent"] as const;
      for (const [i, state] of names.entries())
        expect(
          await worstError(
            stack(
              layers.map((layer) => layer[state]),
              2,
            ),
            ref.get(`state_${i}`)!,
          ),
          state,
        ).toBeLessThan(1e-5);
    } else
      for (const [i, { conv, ssm }] of (cache as readonly MambaState[]).entries()) {
        const theirs = ref.get(`conv_state_${i}`)!;
        // transformers keeps one input more than the convolution needs.
        const last = slice(theirs, [undefined, undefined, [theirs.shape[2]! - conv.shape[2]!, theirs.shape[2]!]]);
        expect(await worstError(conv, last), `conv ${i}`).toBeLessThan(1e-5);
        const want = ref.get(`ssm_state_${i}`)!;
        expect(await worstError(reshape(ssm, want.shape), want), `ssm ${i}`).toBeLessThan(1e-5);
      }
    device.dispose();
  });

  test("several rows, in pieces of any length, give what the whole gives, and each row what it gives alone", async () => {
    const device = await DEVICES["cpu"]!();
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const whole = model.forward({ inputIds: idsOf(BATCH, device) }).logits;
    const step = compile(
      (inputIds: Tensor, cache: readonly LayerCache[]) => {
        const { logits, cache: after } = model.forward({ inputIds, cache });
        return { logits, cache: after! };
      },
      { device, donate: [1] },
    );
    let cache: readonly LayerCache[] = model.emptyCache({ batch: 2, capacity: 0 });
    let at = 0;
    for (const length of [4, 1, 1, 3]) {
      const piece = BATCH.map((row) => row.slice(at, at + length));
      const result = await step(idsOf(piece, device), cache);
      expect(await worstError(result.logits, slice(whole, [undefined, [at, at + length]]))).toBeLessThan(TOLERANCE);
      [cache, at] = [result.cache, at + length];
    }
    for (const [i, row] of BATCH.entries()) {
      const alone = model.forward({ inputIds: idsOf([row], device) }).logits;
      expect(await worstError(alone, slice(whole, [[i, i + 1]]))).toBeLessThan(TOLERANCE);
    }
    device.dispose();
  });

  test("padding on the left leaves no trace", async () => {
    const device = await DEVICES["cpu"]!();
    const model = await loadPretrained(fixture(`models/${name}`), { device });
    const row = BATCH[0]!.slice(0, 5);
    const alone = model.forward({ inputIds: idsOf([row], device), cache: model.emptyCache({ capacity: 0 }) });
    const mask = [...Array<number>(4).fill(0), ...Array<number>(5).fill(1)];
    const padded = model.forward({
      inputIds: idsOf([[50, 51, 52, 53, ...row], BATCH[1]!], device),
      attentionMask: idsOf([mask, Array<number>(9).fill(1)], device),
      cache: model.emptyCache({ batch: 2, capacity: 0 }),
    });
    expect(await worstError(slice(lastOf(padded.logits), [[0, 1]]), lastOf(alone.logits))).toBeLessThan(TOLERANCE);
    const next = (cache: readonly LayerCache[], rows: number[][]): Tensor => model.forward({ inputIds: idsOf(rows, device), cache }).logits;
    const after = slice(next(padded.cache!, [[7], [8]]), [[0, 1]]);
    expect(await worstError(after, next(alone.cache!, [[7]]))).toBeLessThan(TOLERANCE);
    device.dispose();
  });
});

test("what means nothing to a recurrence is refused, and states that do not fit", async () => {
  const model = await loadPretrained(fixture("models/mamba"));
  const inputIds = idsOf(BATCH);
  const run = (inputs: object) => (): unknown => model.forward({ inputIds, ...inputs });
  expect(run({ pastKeyValues: [] })).toThrow("pastKeyValues are for models with attention");
  expect(run({ cache: model.emptyCache({ batch: 1, capacity: 0 }) })).toThrow(
    "conv of layer 0 of the cache is [1,64,3], expected [2,64,3]",
  );
  expect(run({ cache: [] })).toThrow("cache has 0 layers, the model has 2");
  expect(run({ attentionMask: idsOf([[1, 1]]) })).toThrow("attentionMask is [1,2], expected [2,9]");
  expect(() => model.forward({ inputIds: tensor(new Int32Array(0), { shape: [1, 0] }) })).toThrow("inputIds is empty");
});
