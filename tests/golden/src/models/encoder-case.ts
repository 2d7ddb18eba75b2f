import { join } from "node:path";
import { meanPooled } from "@weft/models";
import { loadPretrainedEncoder } from "@weft/models/node";
import { add, type Device, gradients, mean, square, tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";

/** f32 in another order of summation over a few blocks. */
const TOLERANCE = 1e-5;

/** States, the pooled token, the sentence vector and every gradient of a BERT of make_models.py. */
export async function runEncoder(folder: string, device: Device): Promise<Outcome> {
  const check = new Comparison(TOLERANCE);
  const model = await loadPretrainedEncoder(folder, { device });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  const attentionMask = ref.get("attention_mask")!;
  const output = model.forward({ inputIds: ref.get("input_ids")!, attentionMask, tokenTypeIds: ref.get("token_type_ids")! });
  await check.tensors("last_hidden_state", output.lastHiddenState, ref.get("last_hidden_state")!);
  await check.tensors("pooler_output", output.poolerOutput!, ref.get("pooler_output")!);
  await check.tensors("mean_pooled_normalised", meanPooled(output.lastHiddenState, attentionMask), ref.get("mean_pooled_normalised")!);
  for (const [i, h] of output.hiddenStates.entries()) await check.tensors(`hidden_${i}`, h, ref.get(`hidden_${i}`)!);
  const loss = add(mean(square(output.lastHiddenState)), mean(square(output.poolerOutput!)));
  await check.tensors("loss", loss, tensor(readJson<{ loss: number }>(folder, "expect.json").loss, { device }));
  const names = [...model.weights.keys()];
  const grads = gradients(
    loss,
    names.map((n) => model.weights.get(n)!),
  );
  for (const [i, n] of names.entries()) await check.tensors(`grad ${n}`, grads[i]!, ref.get(`grad.${n}`)!);
  return check.outcome();
}
