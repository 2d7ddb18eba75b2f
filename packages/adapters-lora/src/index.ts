export { createLora } from "./create-lora.js";
export { initLora, residualWeight } from "./init/init.js";
export { LORA_FIELDS, LoraConfig, type LoraConfigFields, loraScaling } from "./lora/config.js";
export { LORA } from "./lora/lora.js";
