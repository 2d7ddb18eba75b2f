import { LORA, TRAINABLE_TOKENS } from "@weft/adapters-lora";
import { methodTable, type MethodTable } from "@weft/tensor-core";

/** LoRA in all its forms (DoRA, rsLoRA, PiSSA, aLoRA …), with the trained tokens that may stand beside it. */
export const LORA_METHODS: MethodTable = /* @__PURE__ */ methodTable(LORA, TRAINABLE_TOKENS);
