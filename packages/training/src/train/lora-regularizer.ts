import { kasaLoss, type LoraConfigFields } from "@weft/adapters-lora";
import { type AdapterParameters, PeftModel } from "@weft/registry";
import { add, type Tensor } from "@weft/tensor-core";
import type { Trainee } from "./trainee.js";

/**
 * What a variant of LoRA adds to the loss: KaSA's regularisers, summed over its layers. PEFT computes them too, and leaves it to the training loop to add them; without
 * them factors need not stay orthogonal, and the diagonal is no longer one of singular values.
 * @see peft `LoraModel._get_kasa_loss`
 */
export function loraRegularizer(trainee: Trainee): ((params: AdapterParameters) => Tensor) | undefined {
  if (!(trainee instanceof PeftModel)) return undefined;
  const { config } = trainee.state(trainee.activeAdapters[0]!);
  const { kasaConfig } = config.values as unknown as LoraConfigFields;
  if (config.peftType !== "LORA" || !kasaConfig) return undefined;
  return ({ layers }) =>
    Object.values(layers)
      .filter((params) => params["diag"])
      .map((params) => kasaLoss(params, kasaConfig))
      .reduce((sum, one) => add(sum, one));
}
