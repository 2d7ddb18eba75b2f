import { compile, type Device, gradients, mul, reshape, slice, softmaxCrossEntropy, tensor, type Tensor } from "@weft/tensor-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadPretrained } from "../node/load-pretrained.js";
import { DEVICES, fixture, fixtureJson, fixtureTensors, worstError } from "../testing.js";
import type { LayerCache } from "./inputs.js";
import type { CausalLM } from "./causal-lm.js";

const LLAMAS = [
  "llama",
  "llama_linear",
  "llama_dynamic",
  "llama_yarn",
  "llama_tied_llama3",
  "mistral_window",
  "qwen2",
  "qwen3",
  "smollm3",
  "phi3",
  "phi3_longrope",
  "gemma2",
  "gemma3_text",
];
/** Models whose fixtures have padding on the left, with positions of their own. */
const ATTENTIVE = [...LLAMAS, "gpt2"];
const NAMES = [...ATTENTIVE, "rwkv", "rwkv_rescale", "mamba", "mamba2"];
/** f32 in another order of summation over a few blocks; torch itself differs by as much between thread counts. */
const TOLERANCE = 1e-5;
/** transformers halves the states of an RWKV after every `rescale_every` blocks, which the eps of the norms does not know: 1.6e-4 in its own logits. */
const RESCALED = 5e-4;

describe.each(Object.keys(DEVICES))("on device %s", (deviceName) => {
  let device: Device;
  beforeAll(async () => {
    device = await DEVICES[deviceName]!();
  });
  afterAll(() => {
    if (deviceName !== "reference") device.dispose();
  });

  describe.each(NAMES)("%s", (name) => {
    let model: CausalLM;
    let ref: Map<string, Tensor>;
    const expected = fixtureJson(`models/${name}/expect.json`) as {
      readonly loss: number;
      readonly greedy_16: readonly number[];
      readonly greedy_margins: readonly number[];
    };
    const every = name === "rwkv_rescale" ? (fixtureJson(`models/${name}/config.json`)["rescale_every"] as number) : Infinity;
    const tolerance = every < Infinity ? RESCALED : TOLERANCE;
    beforeAll(async () => {
      // The fixtures with padding were made with transformers' eager attention.
      model = await loadPretrained(fixture(`models/${name}`), { device, attention: "eager" });
      ref = await fixtureTensors(`models/${name}/ref.safetensors`, device);
    });

    test("logits and hidden states are those of transformers", async () => {
      const { logits, hiddenStates } = model.forward({ inputIds: ref.get("input_ids")! });
      expect(await worstError(logits, ref.get("logits")!)).toBeLessThan(tolerance);
      expect(hiddenStates.length).toBe([...ref.keys()].filter((k) => k.startsWith("hidden_")).length);
      for (const [i, h] of hiddenStates.entries()) {
        // The last one is behind a norm, which takes the scale away.
        const halved = i + 1 < hiddenStates.length ? 2 ** -Math.floor((i + 1) / every) : 1;
        expect(await worstError(halved === 1 ? h : mul(h, halved), ref.get(`hidden_${i}`)!), `hidden_${i}`).toBeLessThan(tolerance);
      }
    });

    test("loss and the gradient of every parameter", async () => {
      const { logits } = model.forward({ inputIds: ref.get("input_ids")! });
      const [batch, length, vocabulary] = logits.shape as [number, number, number];
      const shifted = reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]);
      const loss = softmaxCrossEntropy(shifted, reshape(slice(ref.get("labels")!, [undefined, [1, length]]), [batch * (length - 1)]));
      const names = [...model.weights.keys()];
      const grads = gradients(
        loss,
        names.map((n) => model.weights.get(n)!),
      );
      await device.evaluate([loss, ...grads]);
      expect(Math.abs((await loss.item()) - expected.loss)).toBeLessThan(TOLERANCE);
      expect(names.toSorted()).toEqual(
        [...ref.keys()]
          .filter((k) => k.startsWith("grad."))
          .map((k) => k.slice(5))
          .toSorted(),
      );
      for (const [i, n] of names.entries()) expect(await worstError(grads[i]!, ref.get(`grad.${n}`)!), n).toBeLessThan(TOLERANCE);
    });

    test.runIf(ATTENTIVE.includes(name))("padding on the left, with positions from the mask", async () => {
      const { logits } = model.forward({
        inputIds: ref.get("input_ids")!,
        attentionMask: ref.get("leftpad_mask")!,
        positionIds: ref.get("leftpad_position_ids")!,
      });
      expect(await worstError(logits, ref.get("leftpad_logits")!)).toBeLessThan(TOLERANCE);
    });

    // Slow on the reference device.
    if (deviceName !== "reference")
      test("16 tokens of greedy continuation, one plan for all steps but the first", async () => {
        let traces = 0;
        const next = compile(
          (inputIds: Tensor, position: Tensor, cache: readonly LayerCache[]) => {
            traces++;
            const { logits, cache: after } = model.forward({ inputIds, position, cache });
            return { logits, cache: after! };
          },
          { device, donate: [2] },
        );
        // The fixtures were made without a cache, and these frequencies change with the length of the whole.
        const grows = name === "llama_dynamic";
        let ids = [...(await ref.get("input_ids")!.data())].slice(0, ref.get("input_ids")!.shape[1]!);
        let [position, cache] = [0, model.emptyCache({ capacity: ids.length + 16 })];
        for (const [step, want] of expected.greedy_16.entries()) {
          const result = await next(
            tensor(Int32Array.from(ids), { shape: [1, ids.length], device }),
            tensor(Int32Array.of(position), { shape: [], device }),
            cache,
          );
          const row = (await result.logits.data()).subarray(-model.config.vocabSize);
          // Where two tokens are nearly equal, rounding may decide.
          if (expected.greedy_margins[step]! > 1e-3) expect(row.indexOf(Math.max(...row)), `step ${step}`).toBe(want);
          [position, cache, ids] = grows
            ? [0, model.emptyCache({ capacity: ids.length + 1 }), [...ids, want]]
            : [position + ids.length, [...result.cache], [want]];
        }
        if (!grows) expect(traces).toBe(2);
        next.dispose();
      });
  });
});
