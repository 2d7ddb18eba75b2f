import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { createWasmBackend } from "@weft/kernels-wasm";
import type { CacheOptions, CausalInputs, CausalOutput, LayerCache } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { loadPeftModel } from "@weft/registry/node";
import { compile, Device, slice, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";

const PEFT = join(import.meta.dirname, "../../../fixtures/peft");
/** Tokens of the first pass; the others follow one by one. */
const FIRST = 4;
const IDS = [3, 14, 15, 9, 26, 5, 35, 8, 7];
/** f32 sums in another order, over two blocks and an adapter. */
const TOLERANCE = 5e-6;

type Forward = (inputs: CausalInputs) => CausalOutput;

const device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
const idsOf = (ids: readonly number[]): Tensor => device.tensor(Int32Array.from(ids), { shape: [1, ids.length] });

/**
 * Compares cached logits with those of the whole sequence.
 * @param forwardOf the first pass, or one behind it
 * @param front positions that a prompt needs in the cache
 */
async function expectSame(
  forwardOf: (isFirst: boolean) => Forward,
  emptyCache: (options: CacheOptions) => LayerCache[],
  front = 0,
): Promise<void> {
  const last = (t: Tensor): Tensor => slice(t, [undefined, [t.shape[1]! - 1, t.shape[1]!]]);
  const whole = forwardOf(true)({ inputIds: idsOf(IDS) }).logits;
  const virtual = whole.shape[1]! - IDS.length;
  const pass = (isFirst: boolean) =>
    compile(
      (inputIds: Tensor, position: Tensor, cache: readonly LayerCache[]) => {
        const { logits, cache: next } = forwardOf(isFirst)({ inputIds, position, cache });
        return { logits: last(logits), cache: next! };
      },
      { device, donate: [2] },
    );
  const [first, next] = [pass(true), pass(false)];
  let step = await first(idsOf(IDS.slice(0, FIRST)), device.tensor(Int32Array.of(0), { shape: [] }), emptyCache({ capacity: front + 16 }));
  for (let at = FIRST; ; at++) {
    const want = await slice(whole, [undefined, [virtual + at - 1, virtual + at]]).data();
    const size = Math.max(1, ...Array.from(want, Math.abs));
    for (const [i, v] of (await step.logits.data()).entries())
      expect(Math.abs(v - want[i]!) / size, `token ${at - 1}`).toBeLessThan(TOLERANCE);
    if (at === IDS.length) break;
    step = await next(idsOf([IDS[at]!]), device.tensor(Int32Array.of(at), { shape: [] }), step.cache);
  }
  first.dispose();
  next.dispose();
}

it.each([
  "llama_lora",
  "llama_dora_all_linear",
  "llama_adamss",
  "llama_embed",
  "llama_frod",
  "llama_ln_tuning",
  "llama_psoft",
  "llama_tinylora",
])("decoding with %s attached gives the logits of the whole sequence", async (name) => {
  const model = await loadPretrained(join(PEFT, "llama_base"), { device });
  const peft = await loadPeftModel(model, join(PEFT, name), { methods: ADAPTER_METHODS });
  const forward = (inputs: CausalInputs): CausalOutput => peft.forward(inputs as never) as CausalOutput;
  await expectSame(
    () => forward,
    (options) => model.emptyCache(options),
  );
});

const PROMPTS = ["llama_prompt_tuning", "llama_p_tuning_lstm", "llama_p_tuning_mlp", "llama_prefix_tuning", "llama_prefix_projection"];

it.each(PROMPTS)("decoding with %s puts the prompt into the cache once, and gives the logits of the whole sequence", async (name) => {
  const model = await loadPretrained(join(PEFT, "llama_base"), { device });
  const peft = await loadPeftModel(model, join(PEFT, name), { methods: ADAPTER_METHODS });
  expect(peft.numVirtualTokens).toBeGreaterThan(0);
  const forwardOf =
    (isFirstIteration: boolean): Forward =>
    (inputs) =>
      peft.forward(inputs, { isFirstIteration });
  await expectSame(forwardOf, (options) => model.emptyCache(options), peft.numVirtualTokens);
});

it.each(["llama_prompt_tuning", "llama_prefix_tuning"])(
  "with %s the mask of a cache counts tokens alone, padding included",
  async (name) => {
    const model = await loadPretrained(join(PEFT, "llama_base"), { device });
    const peft = await loadPeftModel(model, join(PEFT, name), { methods: ADAPTER_METHODS });
    const row = (ids: readonly number[]): Tensor => device.tensor(Int32Array.from(ids), { shape: [1, ids.length] });
    const [padding, ids] = [[0, 0], IDS.slice(0, 4)];
    const seen = (length: number): Tensor => row([...padding, ...Array<number>(length - padding.length).fill(1)]);
    const inputIds = row([...padding, ...ids]);
    const whole = peft.forward({ inputIds, attentionMask: seen(6) }).logits;
    const at = (position: number): Tensor => device.tensor(Int32Array.of(position), { shape: [] });
    const capacity = 8;
    const first = peft.forward(
      {
        inputIds: slice(inputIds, [undefined, [0, 5]]),
        attentionMask: seen(capacity),
        position: at(0),
        cache: model.emptyCache({ capacity: capacity + peft.numVirtualTokens }),
      },
      { isFirstIteration: true },
    );
    const { logits } = peft.forward(
      { inputIds: slice(inputIds, [undefined, [5, 6]]), attentionMask: seen(capacity), position: at(5), cache: first.cache },
      { isFirstIteration: false },
    );
    const want = await slice(whole, [undefined, [whole.shape[1]! - 1, whole.shape[1]!]]).data();
    for (const [i, v] of (await logits.data()).entries())
      expect(Math.abs(v - want[i]!)).toBeLessThan(TOLERANCE * Math.max(1, ...Array.from(want, Math.abs)));
  },
);

it("a pass over a cache says whether it is the first, where a prompt has to know", async () => {
  const model = await loadPretrained(join(PEFT, "llama_base"), { device });
  const peft = await loadPeftModel(model, join(PEFT, "llama_prompt_tuning"), { methods: ADAPTER_METHODS });
  const inputs = {
    inputIds: idsOf(IDS),
    position: device.tensor(Int32Array.of(0), { shape: [] }),
    cache: model.emptyCache({ capacity: 32 }),
  };
  expect(() => peft.forward(inputs)).toThrow("a pass over a cache has to say whether it is the first");
  expect(() => peft.forward({ inputIds: idsOf(IDS) }, { isFirstIteration: false })).toThrow("a pass without a cache is always the first");
  const second = { peft_type: "PROMPT_TUNING", task_type: "CAUSAL_LM", num_virtual_tokens: 2 };
  await peft.addAdapter("second", second);
  peft.setAdapter(["default", "second"]);
  expect(() => peft.forward({ inputIds: idsOf(IDS) })).toThrow("two active adapters (PROMPT_TUNING, PROMPT_TUNING) put prompts in front");
  peft.disableAdapters();
  expect(peft.numVirtualTokens).toBe(0);
  peft.forward(inputs);
});
