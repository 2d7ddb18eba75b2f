export { createLora, type CreateLoraOptions, type LayerInput } from "./create-lora.js";
export { type Initialised, initLora, residualWeight } from "./init/init.js";
export { LORA_FIELDS, LoraConfig, type LoraConfigFields, loraScaling } from "./lora/config.js";
export { LORA } from "./lora/lora.js";
