export { SHIRA, ShiraConfig, type ShiraConfigFields } from "./shira.js";
export { SUPERTUNING, SupertuningConfig, type SupertuningConfigFields } from "./supertuning.js";
export { UNILORA, UniLoraConfig, type UniLoraConfigFields } from "./unilora.js";
export { WAVEFT, WaveFTConfig, type WaveFTConfigFields } from "./waveft.js";
