import { join } from "node:path";
import type { CausalInputs, LayerCache } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { type Device, gradients, mul, reshape, stack, tensor, type Tensor } from "@weft/tensor-core";
import { Comparison, type Outcome } from "../case.js";
import { readJson, readTensors } from "../peft/files.js";
import { nextTokenLoss } from "./next-token-loss.js";

/** f32 in another order of summation over a few blocks; torch itself differs by as much between thread counts. */
const TOLERANCE = 1e-5;
/** transformers halves an RWKV's states after every `rescale_every` blocks, which the eps of its norms does not know: 1.6e-4 in its own logits. */
const RESCALED = 5e-4;

/** Logits, hidden states, left padding or states, loss and the gradient of every parameter of a case of make_models.py. */
export async function runLanguageModel(folder: string, device: Device): Promise<Outcome> {
  const config = readJson<{ model_type: string; rescale_every?: number; num_hidden_layers?: number }>(folder, "config.json");
  const every = config.model_type === "rwkv" && config.rescale_every! < config.num_hidden_layers! ? config.rescale_every! : Infinity;
  const check = new Comparison(every < Infinity ? RESCALED : TOLERANCE);
  // The fixtures were made with transformers' eager attention.
  const model = await loadPretrained(folder, { device, attention: "eager" });
  const ref = await readTensors(join(folder, "ref.safetensors"), device);
  const inputIds = ref.get("input_ids")!;
  const pass = (inputs: Partial<CausalInputs> = {}): ReturnType<typeof model.forward> => model.forward({ inputIds, ...inputs });
  const { logits, hiddenStates } = pass();
  await check.tensors("logits", logits, ref.get("logits")!);
  for (const [i, h] of hiddenStates.entries()) {
    // The last one is behind a norm, which takes the scale away.
    const halved = i + 1 < hiddenStates.length ? 2 ** -Math.floor((i + 1) / every) : 1;
    await check.tensors(`hidden_${i}`, halved === 1 ? h : mul(h, halved), ref.get(`hidden_${i}`)!);
  }
  if (ref.has("leftpad_mask")) {
    const padded = pass({ attentionMask: ref.get("leftpad_mask")!, positionIds: ref.get("leftpad_position_ids")! });
    await check.tensors("leftpad_logits", padded.logits, ref.get("leftpad_logits")!);
  } else if (every === Infinity) {
    const { cache } = pass({ cache: model.emptyCache({ batch: inputIds.shape[0]!, capacity: 0 }) });
    for (const [name, state] of statesInTransformers(cache!, ref)) await check.tensors(name, state, ref.get(name)!);
  }

  const loss = nextTokenLoss(logits, ref.get("labels")!);
  await check.tensors("loss", loss, tensor(readJson<{ loss: number }>(folder, "expect.json").loss, { device }));
  const names = [...model.weights.keys()];
  const grads = gradients(
    loss,
    names.map((n) => model.weights.get(n)!),
  );
  for (const [i, n] of names.entries()) await check.tensors(`grad ${n}`, grads[i]!, ref.get(`grad.${n}`)!);
  return check.outcome();
}

/** The states of a recurrence as make_models.py wrote those of transformers: RWKV's with the layers at the last axis, Mamba's per layer. */
function* statesInTransformers(cache: readonly LayerCache[], ref: ReadonlyMap<string, Tensor>): Generator<[name: string, state: Tensor]> {
  const rwkv = ["feedForwardShift", "attentionShift", "numerator", "denominator", "exponent"];
  for (const [i, name] of rwkv.entries())
    if (ref.has(`state_${i}`))
      yield [
        `state_${i}`,
        stack(
          cache.map((layer) => layer[name]!),
          2,
        ),
      ];
  for (const [i, { ssm }] of cache.entries()) {
    const want = ref.get(`ssm_state_${i}`);
    if (want) yield [`ssm_state_${i}`, reshape(ssm!, want.shape)];
  }
}
