import type { ConformanceCase } from "../../case.js";
import { adamwStep } from "./adamw-step.js";
import { attention } from "./attention.js";
import { blockRotate, butterfly } from "./block-rotate.js";
import { cayley, cayleyNeumann, inverse } from "./cayley.js";
import { checkpoint } from "./checkpoint.js";
import { kron, kronLinear } from "./kron.js";
import { layerNorm } from "./layer-norm.js";
import { loraLinear } from "./lora-linear.js";
import { mergeLowRank } from "./merge-low-rank.js";
import { multiLora } from "./multi-lora.js";
import { rmsNorm } from "./rms-norm.js";
import { rope } from "./rope.js";
import { softmaxCrossEntropy } from "./softmax-cross-entropy.js";
import { weightNorm } from "./weight-norm.js";
import { softmax } from "./softmax.js";

/** Cases of the composites, a file per composite. */
export const COMPOSITE_CASES: readonly ConformanceCase[] = [
  ...adamwStep,
  ...attention,
  ...blockRotate,
  ...butterfly,
  ...cayley,
  ...cayleyNeumann,
  ...checkpoint,
  ...inverse,
  ...kron,
  ...kronLinear,
  ...layerNorm,
  ...loraLinear,
  ...mergeLowRank,
  ...multiLora,
  ...rmsNorm,
  ...rope,
  ...softmaxCrossEntropy,
  ...softmax,
  ...weightNorm,
];
