import type { WeightSource } from "@weft/io-safetensors";
import type { StoredTensor } from "./opened.js";

/** What headers say of a checkpoint's tensors. */
export const storedTensors = (source: WeightSource): StoredTensor[] =>
  [...source.names()].map((name) => {
    const { dtype, shape, bytes } = source.info(name);
    return { name, dtype, shape: [...shape], bytes };
  });
