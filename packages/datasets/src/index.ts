export { type BatchRows, batchRows } from "./batches/batch-rows.js";
export { type ExampleRows, exampleRows, type ExampleRowsOptions } from "./batches/example-rows.js";
export { type Batch, batchOf, type PaddingOptions, type Sequence } from "./batches/batch.js";
export { batchesPerEpoch, type DataState, loadBatches, type LoadedBatch, type LoadOptions } from "./batches/load-batches.js";
export { type Packing, packRows } from "./batches/pack.js";
export { permutation } from "./batches/permutation.js";
export { type LabelledRows, labelledRows } from "./batches/labelled-rows.js";
export { planEpoch, type PlannedBatch, type PlanOptions } from "./batches/plan-epoch.js";
export { isForEvaluation, splitExamples, type SplitOptions } from "./batches/split.js";
export { shuffleStream, streamBatches, type StreamOptions } from "./batches/stream.js";
export { describePlace, type Place } from "./data-error.js";
export {
  encodedOf,
  type EncodedExample,
  type EncodedKto,
  type EncodedPreference,
  type EncodedSft,
  encodeExample,
  encodeExamples,
} from "./encode/encode-example.js";
export {
  type EncodeLabelledOptions,
  encodeLabelled,
  type EncoderTask,
  type EncoderText,
  type Labelled,
  type LabelledExample,
} from "./encode/encode-labelled.js";
export { type CutToken, type Encoded, type EncodeWarning, IGNORED, trainedCount, type Turn } from "./encode/encoded.js";
export type { AnswerHeaders, EncodeExampleOptions, MaskMethod } from "./encode/options.js";
export type { ChatExample, CompletionExample, Example, KtoExample, PreferenceExample, TextExample, Turns } from "./examples/example.js";
export type { RowFormat } from "./examples/formats.js";
export { detectFormat, type ExampleOptions, toExamples } from "./examples/to-examples.js";
export { type Coverage, CoverageCounter, coverageOf } from "./lens/coverage.js";
export { formatLens } from "./lens/format-lens.js";
export { type Lens, lensOf, type LensToken } from "./lens/lens.js";
export { assertTrainable, refusals } from "./lens/refusals.js";
export { type DataInput, type FileFormat, type ReadOptions, readRows } from "./read/read-rows.js";
export type { Row } from "./read/row.js";
export type { TextSplit } from "./read/text.js";
