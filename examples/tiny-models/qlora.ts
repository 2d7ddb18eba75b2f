import { join } from "node:path";
import { quantizeCheckpoint } from "@weft/checkpoint/node";
import { LORA_METHODS } from "@weft/methods";
import { loadPretrained } from "@weft/models/node";
import { getPeftModel } from "@weft/registry";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { train } from "@weft/training";
import { openDevice, type Tell, verseBatches, verseLoss } from "./setup.js";

/** A LoRA is trained on a base that stays in four bits (NF4). @param folder for the quantised base */
export async function qlora(folder: string, tell: Tell): Promise<{ before: number; after: number }> {
  const base = join(folder, "nf4");
  await quantizeCheckpoint({ base: tinyModelFolder("llama"), out: base, to: "nf4" });
  const device = await openDevice();
  const model = await loadPretrained(base, { device });
  const lora = { peft_type: "LORA", r: 8, target_modules: "all-linear" } as const;
  const peft = await getPeftModel(model, lora, { methods: LORA_METHODS, seed: 0 });
  const before = await verseLoss(peft);
  const options = { maxSteps: 16, learningRate: 1e-2, lrSchedulerType: "cosine" } as const;
  for await (const { step, loss } of train(peft, await verseBatches(16), options))
    if (step % 8 === 0) tell(`step ${step}  loss ${loss.toFixed(3)}`);
  const after = await verseLoss(peft);
  tell(`loss of verse that was not trained on: ${before.toFixed(3)} before, ${after.toFixed(3)} after`);
  device.dispose();
  return { before, after };
}
