import { minP, noRepeatNgram, processLogits, repetitionPenalty, temperature, topK, topP, typicalP } from "@weft/generation";
import { type Device, gradients, softmaxCrossEntropy } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readTensors } from "../peft/files.js";

/** One product or quotient in f32. */
const TOLERANCE = 1e-6;

/** What each of make_models.py's chains of processors does to a row. */
const CHAINS: Readonly<Record<string, (row: Float32Array, history: readonly number[]) => void>> = {
  repetition_1_3: (row, history) => repetitionPenalty(row, history, 1.3),
  temperature_0_7: (row) => temperature(row, 0.7),
  top_k_5: (row) => topK(row, 5),
  top_p_0_8: (row) => topP(row, 0.8),
  min_p_0_1: (row) => minP(row, 0.1),
  typical_0_7: (row) => typicalP(row, 0.7),
  no_repeat_2gram: (row, history) => noRepeatNgram(row, history, 2),
  all_in_order: (row, history) =>
    processLogits(row, { prompt: history, generated: [] }, { repetitionPenalty: 1.3, temperature: 0.7, topK: 5, topP: 0.8, minP: 0.1 }),
};

/** Rows of logits as transformers' processors leave them, and the loss of torch with its gradient. */
export async function runSampling(file: string, device: Device): Promise<Outcome> {
  const check = new Comparison(TOLERANCE);
  const ref = await readTensors(file, device);
  const values = async (name: string): Promise<number[]> => Array.from(await ref.get(name)!.data());
  const [logits, history] = [await values("logits"), await values("history")];
  for (const [name, change] of Object.entries(CHAINS)) {
    const row = Float32Array.from(logits);
    change(row, history);
    const want = await values(name);
    const kept = (some: ArrayLike<number>): number[] => Array.from(some, (l, i) => (l === -Infinity ? -1 : i)).filter((i) => i >= 0);
    check.exact(`${name}: tokens that stay`, kept(row), kept(want));
    const finite = (some: ArrayLike<number>): Float32Array => Float32Array.from(some, (l) => (l === -Infinity ? 0 : l));
    await check.tensors(name, device.tensor(finite(row)), device.tensor(finite(want)));
  }
  const scores = ref.get("ce_logits")!;
  const loss = softmaxCrossEntropy(scores, ref.get("ce_labels")!);
  await check.tensors("ce_0.0", loss, ref.get("ce_0.0")!);
  await check.tensors("ce_grad_0.0", gradients(loss, [scores])[0]!, ref.get("ce_grad_0.0")!);
  return check.outcome();
}
