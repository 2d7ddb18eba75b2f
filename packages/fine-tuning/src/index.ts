export { adapterConfig } from "./adapter-config.js";
export { encodeRows, type TextFiles } from "./encode-rows.js";
export { epochBatches, epochsFrom, trainable } from "./epoch-batches.js";
export { isMadeAgain, newAdapter, type NewAdapterOptions } from "./new-adapter.js";
export { digestOfExamples, recordedSettings } from "./recorded-settings.js";
export { sampleTexts } from "./sample-texts.js";
export { DEFAULT_SETTINGS, type FineTuningSettings, type ObjectiveName } from "./settings.js";
export { trainingOptions } from "./training-options.js";
