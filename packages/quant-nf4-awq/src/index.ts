export { type FourBitOptions, FOUR_BIT_BLOCKSIZES, fourBit } from "./bitsandbytes/four-bit.js";
export { DYNAMIC_MAP } from "./bitsandbytes/dynamic-map.js";
export { quantizeBlockwise } from "./bitsandbytes/blockwise8.js";
export { LLM_INT8 } from "./bitsandbytes/int8.js";
export type { FourBitType } from "./bitsandbytes/levels.js";
export { bytesPer, type PartBytes, quantize, type QuantFormat, type QuantizedWeight, toPacked, unpack } from "./quant-format.js";
export { BITSANDBYTES } from "./files/bitsandbytes.js";
export type { ModuleTensors, QuantFiles, QuantizationConfig, ReadOptions } from "./files/quant-files.js";
