import { asPlainLora, type ConvertModule } from "@weft/convert";
import { CapabilityError } from "@weft/tensor-core";

/** A module as the LoRA that it is. @throws CapabilityError kind `unsupported-by-target` for one that is none */
export function asLora(module: ConvertModule): ConvertModule {
  const plain = asPlainLora(module);
  if (typeof plain === "string")
    throw new CapabilityError(`${module.label}: ${plain}`, {
      kind: "unsupported-by-target",
      tensor: module.label,
      hint: "servers load LoRA; weft merge takes any method",
    });
  return plain;
}
