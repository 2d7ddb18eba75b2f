export { ADAPTION_PROMPT, AdaptionPromptConfig, type AdaptionPromptConfigFields } from "./adaption-prompt.js";
export { LILY, LilyConfig, type LilyConfigFields } from "./lily.js";
export { POLY, PolyConfig, type PolyConfigFields } from "./poly.js";
export { SHADOW, ShadowConfig, type ShadowConfigFields } from "./shadow.js";
export { XLORA, XLoraConfig, type XLoraConfigFields } from "./xlora.js";
