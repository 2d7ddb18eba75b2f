import { AWQ_FILES } from "./awq.js";
import { BITSANDBYTES } from "./bitsandbytes.js";
import { COMPRESSED_TENSORS } from "./compressed-tensors.js";
import { GPTQ_FILES } from "./gptq.js";
import { HQQ_FILES } from "./hqq.js";
import { MXFP4_FILES } from "./mxfp4.js";
import type { QuantFiles } from "./quant-files.js";
import { COMFY_FP8_FILES, FP8_FILES } from "./scaled.js";

/** The programs whose files are read, in the order in which they are asked: the first that `matches` a module's tensors wrote them. */
export const QUANT_FILES: readonly QuantFiles[] = [
  BITSANDBYTES,
  AWQ_FILES,
  GPTQ_FILES,
  FP8_FILES,
  COMFY_FP8_FILES,
  COMPRESSED_TENSORS,
  MXFP4_FILES,
  HQQ_FILES,
];
