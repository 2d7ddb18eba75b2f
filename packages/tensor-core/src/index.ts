export {
  assertKnownFields,
  boolean,
  camel,
  type ConfigClass,
  configClass,
  dropout,
  dropRate,
  type Field,
  type FieldTable,
  finite,
  float,
  integer,
  MAX_RANK,
  nested,
  oneOf,
  opaque,
  pattern,
  readFields,
  share,
  strength,
  stringList,
  stringOrList,
  type Targeting,
  TARGETING,
  writeFields,
} from "./adapter/config.js";
export {
  additiveDelta,
  countParameters,
  forwardAdapters,
  mergeBias,
  mergeWeight,
  type MergeWeightOptions,
  unmergeWeight,
} from "./adapter/derive.js";
export type { BlockwiseModel, SharedInput } from "./adapter/blockwise-model.js";
export { createAdapter, type CreateAdapterOptions } from "./adapter/create-adapter.js";
export { type LayerInput, type SpecifiedLayer, specOf } from "./adapter/adapt-layer.js";
export { assertNewLayer, type CheckOptions } from "./adapter/check-new-layer.js";
export { type Draws, drawsOf, dropped, inputDropout } from "./adapter/training-pass.js";
export { adapterDType, adapterParams } from "./adapter/adapter-params.js";
export { initLayer, type InitialisedLayer, initParameter, initParameters, initShared } from "./adapter/init.js";
export { type Box, mapBox, needs, type RowPasses, rowPasses, type RowSum, type Tile, tileRows } from "./adapter/tile.js";
export { type BareTensors, type DetectedMethod, methodDetector } from "./adapter/detect-method.js";
export { type MethodDefinition, type MethodEntry, type MethodTable, methodTable } from "./adapter/method-table.js";
export { AdaptedLayer, type AdaptedLayerOptions, type LayerSummary } from "./adapter/adapted-layer.js";
export { AdapterGroup, type AdapterGroupOptions, type AdapterSummary } from "./adapter/adapter-group.js";
export {
  assertInput,
  type AttentionParts,
  type BaseLayer,
  biasLike,
  type ConvSpec,
  convLike,
  featuresOf,
  forwardBase,
  forwardWithoutBias,
  isConv,
  type LayerKind,
  type LayerSpec,
  matrixShape,
  type NormSpec,
} from "./adapter/layer.js";
export type {
  ActivePart,
  AdaptedModule,
  AdapterContext,
  AdapterMethod,
  Attached,
  BareModules,
  DefaultTargets,
  Derived,
  DerivedParameters,
  Init,
  Initialised,
  LayerOrigin,
  LowRankFactors,
  MergeRounding,
  Mirror,
  MirrorSizes,
  ModelPass,
  ModelView,
  ParameterSpec,
  Params,
  Rounding,
  SharedParameters,
  SpecialForm,
  TargetedLayer,
  UnmergedBias,
} from "./adapter/method.js";
export type { Attrs, AttrValue } from "./attrs.js";
export type {
  Backend,
  BackendBuffer,
  BackendStatistics,
  Capabilities,
  CompositeCall,
  Executable,
  Footprint,
  Frozen,
  FrozenInput,
} from "./backend.js";
export { type BoundCall, compile, type CompiledFunction, type CompileOptions } from "./compile.js";
export { callComposite, type Composite } from "./composite.js";
export { attention, type AttentionOptions } from "./composites/attention.js";
export { attentionLimits, type AttentionLimits } from "./composites/attention-scores.js";
export { blockRotate, butterfly, type ButterflyOptions } from "./composites/block-rotation.js";
export { cayley, cayleyNeumann, inverse } from "./composites/cayley.js";
export { dequantize, quantLinear } from "./composites/dequantize.js";
export { weightNorm } from "./composites/dora-norm.js";
export { kron, kronLinear } from "./composites/kron.js";
export { loraLinear, mergeLowRank, type MergeOptions } from "./composites/lora-linear.js";
export { labelLogProbs, softmaxCrossEntropy } from "./composites/loss.js";
export { type LoraBank, loraBank, multiLora } from "./composites/multi-lora.js";
export { swiglu } from "./composites/swiglu.js";
export { layerNorm, rmsNorm, softmax } from "./composites/norm.js";
export { type AdamwAttrs, adamwStep, clipByGlobalNorm, globalNorm, logBeta, type SgdAttrs, sgdStep } from "./composites/optimizer.js";
export type { AffineLinearAttrs } from "./composites/affine-linear.js";
export type { QuantLinearAttrs } from "./composites/quant-linear.js";
export { rope } from "./composites/rope.js";
export { selectiveScan, type SelectiveScanInputs } from "./composites/selective-scan.js";
export { topK } from "./composites/top-k.js";
export { wkv, type WkvState } from "./composites/wkv.js";
export { createDevice, type CreateDeviceOptions, type OpenBackend } from "./create-device.js";
export { fromBf16, fromF16, fromF8e4m3, fromF8e5m2, toBf16, toF16, toF8e4m3, toF8e5m2 } from "./convert/small-floats.js";
export { decode, encode, roundTo } from "./convert/storage.js";
export { Device, type DeviceOptions, referenceDevice } from "./device.js";
export { deviceOf, evaluate } from "./evaluate.js";
export { assertDType, type DType, DTYPES, bytesPerElement, isFloat, dtypeHint, promote } from "./dtype.js";
export {
  CancelledError,
  CapabilityError,
  ConfigError,
  DTypeError,
  DeviceError,
  FormatError,
  IndexError,
  IoError,
  MatchError,
  ShapeError,
  WeftError,
  type WeftErrorOptions,
} from "./errors.js";
export type { WeftErrorCode, WeftErrorKind, WeftErrorKinds } from "./error-kinds/kinds.js";
export { afterOtherTasks, type LongCallOptions, throwIfAborted } from "./long-call.js";
export { exactJson } from "./exact-json.js";
export { explain, explainPlan, stepCost, type StepCost } from "./explain.js";
export {
  type AffineForm,
  assertPacked,
  bytesPerRow,
  type Format,
  type MatrixShape,
  type PackedWeight,
  type Parts,
  type PartSpec,
  position,
} from "./formats/format.js";
export { INT8_ROWS } from "./formats/int8.js";
export { type Node, placeholder, Tensor } from "./graph.js";
export { type IndexCheck, verifyIndices, withIndexChecks } from "./index-checks.js";
export * from "./ops/index.js";
export type { BufferSpec, Instruction, Operand, Plan, Program, Step } from "./plan/plan.js";
export { type BinaryOp, PRIMITIVES, type UnaryOp } from "./primitives/index.js";
export type { Primitive, ReferenceKernel } from "./primitives/primitive.js";
export type { ReduceOp } from "./primitives/reduce.js";
export { createReferenceBackend, runReferenceStep } from "./reference/backend.js";
export { runReferenceOp } from "./reference/op.js";
export { runProgram } from "./reference/program.js";
export { type Memory, readOperand, writeOperand } from "./reference/views.js";
export {
  NumpyGenerator,
  TorchGenerator,
  torchGenerator,
  torchKaimingUniform,
  torchNormal,
  torchRandperm,
  torchUniform,
} from "./random/index.js";
export { Arena } from "./plan/arena.js";
export { ArenaLayout } from "./plan/arena-layout.js";
export { withFootprint } from "./plan/with-footprint.js";
export { operandBytes } from "./plan/operand.js";
export { planGraph, type Planned } from "./plan/plan-graph.js";
export { stepName } from "./plan/step-name.js";
export type { Compiled } from "./signature.js";
export { broadcastShapes, contiguousStrides, isContiguous, sameShape, type Shape, sizeOf } from "./shape.js";
export type { TensorSpec } from "./tensor-spec.js";
export { checkpoint } from "./transforms/checkpoint.js";
export { grad, gradients, valueAndGrad, vjp } from "./transforms/grad.js";
export { disposeTree, flattenTree, type Tree, unflattenTree } from "./transforms/tree.js";
