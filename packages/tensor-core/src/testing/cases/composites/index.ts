import type { ConformanceCase } from "../../case.js";
import { adamwStep } from "./adamw-step.js";
import { attention } from "./attention.js";
import { attentionBackward } from "./attention-backward.js";
import { blockRotate, butterfly } from "./block-rotate.js";
import { cayley, cayleyNeumann, inverse } from "./cayley.js";
import { checkpoint } from "./checkpoint.js";
import { clipByGlobalNorm, globalNorm } from "./global-norm.js";
import { kron, kronLinear } from "./kron.js";
import { layerNorm } from "./layer-norm.js";
import { loraLinear } from "./lora-linear.js";
import { loraFactorGradients, loraLinearBackward, loraLinearBase } from "./lora-linear-backward.js";
import { mergeLowRank } from "./merge-low-rank.js";
import { multiLora } from "./multi-lora.js";
import { normWeightGradient } from "./norm-weight-gradient.js";
import { affineLinear, dequantize, knownFormats, packedViews, quantLinear } from "./packed.js";
import { rmsNorm } from "./rms-norm.js";
import { rope } from "./rope.js";
import { selectiveScan } from "./selective-scan.js";
import { sgdStep } from "./sgd-step.js";
import { softmaxCrossEntropy } from "./softmax-cross-entropy.js";
import { swiglu } from "./swiglu.js";
import { topK } from "./top-k.js";
import { weightNorm } from "./weight-norm.js";
import { wkv } from "./wkv.js";
import { softmax } from "./softmax.js";

/** Cases of the composites, a file per composite. */
export const COMPOSITE_CASES: readonly ConformanceCase[] = [
  ...adamwStep,
  ...affineLinear,
  ...attention,
  ...attentionBackward,
  ...blockRotate,
  ...butterfly,
  ...cayley,
  ...cayleyNeumann,
  ...checkpoint,
  ...clipByGlobalNorm,
  ...dequantize,
  ...globalNorm,
  ...inverse,
  ...kron,
  ...kronLinear,
  ...layerNorm,
  ...loraFactorGradients,
  ...loraLinear,
  ...loraLinearBackward,
  ...loraLinearBase,
  ...mergeLowRank,
  ...multiLora,
  ...normWeightGradient,
  ...knownFormats,
  ...packedViews,
  ...quantLinear,
  ...rmsNorm,
  ...rope,
  ...selectiveScan,
  ...sgdStep,
  ...softmaxCrossEntropy,
  ...softmax,
  ...swiglu,
  ...topK,
  ...weightNorm,
  ...wkv,
];
