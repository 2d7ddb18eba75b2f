import { asPlainLora } from "../conversion/expand.js";
import type { ConvertModule } from "../conversion/convert-module.js";
import { reshaped } from "../conversion/lazy-tensor.js";

/**
 * A module as PEFT's LoRA has it: no Tucker core, magnitudes of output rows as [out] or [1, out, 1, 1], an up factor with the kernel's axes.
 * @returns why it has no such form otherwise
 */
export function asPeftLora(module: ConvertModule): ConvertModule | string {
  const plain = asPlainLora(module);
  if (typeof plain === "string") return plain;
  if (plain.rank === 0) return "rank 0 has no form in PEFT";
  const parameters = new Map(plain.parameters);
  const [up, magnitude] = [parameters.get("lora_up.weight")!, parameters.get("dora_scale")];
  const ones = parameters
    .get("lora_down.weight")!
    .shape.slice(2)
    .map(() => 1);
  parameters.set("lora_up.weight", reshaped(up, [...up.shape.slice(0, 2), ...ones]));
  if (magnitude) {
    const size = magnitude.shape.reduce((a, b) => a * b, 1);
    if (size !== up.shape[0] || (magnitude.shape[0] !== size && magnitude.shape[1] !== size))
      return "magnitudes of input columns (DoRA) have no form in PEFT";
    parameters.set("dora_scale", reshaped(magnitude, ones.length > 0 ? [1, size, ...ones] : [size]));
  }
  return { ...plain, parameters };
}
