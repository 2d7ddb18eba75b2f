export { adapterConfig } from "./adapter-config.js";
export { encodeRows, type TextFiles } from "./encode-rows.js";
export { epochBatches, epochsFrom, trainable } from "./epoch-batches.js";
<<<<<<< HEAD
export { isMadeAgain, newAdapter, type NewAdapterOptions } from "./new-adapter.js";
=======
export { type Fit, fitOf, largestBatch, stepsOf, timeOf } from "./fit.js";
>>>>>>> 293e5774 (Settings of a training, and what one takes, have one definition for the command line and the studio)
export { digestOfExamples, recordedSettings } from "./recorded-settings.js";
export { sampleTexts } from "./sample-texts.js";
export { DEFAULT_SETTINGS, type FineTuningSettings, type ObjectiveName } from "./settings.js";
export { expectedOf, type FieldGroup, type FieldKind, TRAIN_FIELDS, type TrainField } from "./train-fields.js";
export { trainingOptions } from "./training-options.js";
