import type { GgufValues } from "./architecture.js";

/** By what a GGUF file has, what it has of a value of the checkpoint, and what the checkpoint has of a value of the file. */
const OF: Readonly<Record<GgufValues, { readonly gguf: (w: number) => number; readonly hf: (v: number) => number }>> = {
  "plus-one": { gguf: (w) => w + 1, hf: (v) => v - 1 },
  "minus-exp": { gguf: (w) => -Math.exp(w), hf: (v) => Math.log(-v) },
};

/** The values of the other side, each rounded to f32 once. */
export const valuesOn = (side: "gguf" | "hf", values: GgufValues, given: Float32Array): Float32Array => given.map(OF[values][side]);
