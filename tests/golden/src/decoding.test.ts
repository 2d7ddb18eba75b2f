import { join } from "node:path";
import { ADAPTER_METHODS } from "@weft/methods";
import { withPrompt } from "@weft/adapters-prompt";
import { createWasmBackend } from "@weft/kernels-wasm";
import type { CausalInputs, CausalOutput, KeyValues } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { attachPrompt } from "@weft/registry";
import { openAdapterFolder } from "@weft/adapter-files/node";
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

/** Compares cached logits with those of the whole sequence. @param front positions before the first token that `start` makes */
async function expectSame(start: Forward, go: Forward, emptyCache: () => KeyValues[], { past = 0, virtual = 0 }): Promise<void> {
  const last = (t: Tensor): Tensor => slice(t, [undefined, [t.shape[1]! - 1, t.shape[1]!]]);
  const whole = start({ inputIds: idsOf(IDS) }).logits;
  const pass = (forward: Forward) =>
    compile(
      (inputIds: Tensor, position: Tensor, cache: readonly KeyValues[]) => {
        const { logits, cache: next } = forward({ inputIds, position, cache });
        return { logits: last(logits), cache: next! };
      },
      { device, donate: [2] },
    );
  const [first, next] = [pass(start), pass(go)];
  let step = await first(idsOf(IDS.slice(0, FIRST)), device.tensor(Int32Array.of(past), { shape: [] }), emptyCache());
  for (let at = FIRST; ; at++) {
    const want = await slice(whole, [undefined, [virtual + at - 1, virtual + at]]).data();
    const size = Math.max(1, ...Array.from(want, Math.abs));
    for (const [i, v] of (await step.logits.data()).entries())
      expect(Math.abs(v - want[i]!) / size, `token ${at - 1}`).toBeLessThan(TOLERANCE);
    if (at === IDS.length) break;
    step = await next(idsOf([IDS[at]!]), device.tensor(Int32Array.of(past + virtual + at), { shape: [] }), step.cache);
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
  await expectSame(forward, forward, () => model.emptyCache({ capacity: 16 }), {});
});

it.each([
  ["llama_prompt_tuning", "virtualTokens"],
  ["llama_prefix_tuning", "pastKeyValues"],
] as const)("decoding with %s begins behind its %s, which only the first pass is given", async (name, kind) => {
  const model = await loadPretrained(join(PEFT, "llama_base"), { device });
  const adapter = await openAdapterFolder(join(PEFT, name), { methods: ADAPTER_METHODS });
  const attached = await attachPrompt(adapter, {
    sizes: model.config,
    tensor: (path) => model.weights.get(path),
    names: () => model.weights.keys(),
  });
  const base = model.withWeights(attached.replaced);
  const prompt = attached.prompt();
  const inFront = withPrompt(prompt, { inputIds: idsOf(IDS) }) as CausalInputs;
  const count = kind === "virtualTokens" ? inFront.virtualTokens!.shape[1]! : inFront.pastKeyValues![0]!.key.shape[2]!;
  expect(count).toBeGreaterThan(0);
  await expectSame(
    (inputs) => base.forward({ ...inputs, [kind]: inFront[kind] }),
    (inputs) => base.forward(inputs),
    () => base.emptyCache({ capacity: count + 16 }),
    kind === "virtualTokens" ? { virtual: count } : { past: count },
  );
  await adapter.weights.close();
});
