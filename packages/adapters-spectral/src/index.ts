export { ADAMSS, AdamssConfig, type AdamssConfigFields } from "./adamss.js";
export { FROD, FrodConfig, type FrodConfigFields } from "./frod.js";
export { OSF, OsfConfig, type OsfConfigFields } from "./osf.js";
export { PSOFT, PsoftConfig, type PsoftConfigFields } from "./psoft.js";
export { TINYLORA, TinyLoraConfig, type TinyLoraConfigFields } from "./tinylora.js";
