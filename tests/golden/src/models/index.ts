import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { loadPretrained } from "@weft/models/node";
import { type Device, gradients, reshape, slice, softmaxCrossEntropy, tensor } from "@weft/tensor-core";
import { Comparison, type GoldenCase, type Outcome } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";

/** Architectures that have a forward here, by `model_type`. */
const SUPPORTED = new Set(["llama", "mistral", "qwen2", "qwen3"]);
/** f32 in another order of summation over a few blocks; torch itself differs by as much between thread counts. */
const TOLERANCE = 1e-5;

/** Logits, hidden states, left padding, loss and the gradient of every parameter of a case of make_models.py. */
async function runModel(folder: string, device: Device): Promise<Outcome> {
  const check = new Comparison(TOLERANCE);
  // The fixtures were made with transformers' eager attention.
  const model = await loadPretrained(folder, { device, attention: "eager" });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  const ids = ref.get("input_ids")!;
  const { logits, hiddenStates } = model.forward({ inputIds: ids });
  await check.tensors("logits", logits, ref.get("logits")!);
  for (const [i, h] of hiddenStates.entries()) await check.tensors(`hidden_${i}`, h, ref.get(`hidden_${i}`)!);
  const padded = model.forward({ inputIds: ids, attentionMask: ref.get("leftpad_mask")!, positionIds: ref.get("leftpad_position_ids")! });
  await check.tensors("leftpad_logits", padded.logits, ref.get("leftpad_logits")!);

  const [batch, length, vocabulary] = logits.shape as [number, number, number];
  const shifted = reshape(slice(logits, [undefined, [0, length - 1]]), [batch * (length - 1), vocabulary]);
  const loss = softmaxCrossEntropy(shifted, reshape(slice(ref.get("labels")!, [undefined, [1, length]]), [-1]));
  await check.tensors("loss", loss, tensor(readJson<{ loss: number }>(folder, "expect.json").loss, { device }));
  const names = [...model.weights.keys()];
  const grads = gradients(
    loss,
    names.map((n) => model.weights.get(n)!),
  );
  for (const [i, n] of names.entries()) await check.tensors(`grad ${n}`, grads[i]!, ref.get(`grad.${n}`)!);
  return check.outcome();
}

/** The models of a folder that make_models.py wrote. */
export function modelCases(root: string): GoldenCase[] {
  return readdirSync(root)
    .sort()
    .map((name) => join(root, name))
    .filter((folder) => existsSync(join(folder, "config.json")) && existsSync(join(folder, "ref.safetensors")))
    .map((folder) => ({
      name: `models/${folder.slice(root.length + 1)}`,
      run(device) {
        const { model_type: type } = readJson<{ model_type: string }>(folder, "config.json");
        return SUPPORTED.has(type) && existsSync(join(folder, "expect.json"))
          ? runModel(folder, device)
          : Promise.resolve({ status: "unsupported", detail: `model_type ${type}` });
      },
    }));
}
