export { ADAPTER_METHODS } from "./all.js";
export { LORA_METHODS } from "./lora.js";
export { LYCORIS_METHODS } from "./lycoris.js";
export { PEFT_METHODS } from "./peft.js";
// What makes a table, under this entry as well.
export { type MethodDefinition, type MethodEntry, type MethodTable, methodTable } from "@weft/tensor-core";
