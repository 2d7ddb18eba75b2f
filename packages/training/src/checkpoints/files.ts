/** The files of a checkpoint beside those of the adapter. */
export const FILES = {
  /** HF's state of a trainer. */
  trainer: "trainer_state.json",
  /** Parameters in f32, moments, running averages, and what the method has learnt besides. */
  optimizer: "optimizer.safetensors",
  /** What HF has no field for: where the data stands. */
  weft: "weft_state.json",
  /** Sizes and SHA-256 of all others, written last. */
  done: "done.json",
} as const;

/** Which tensors a name in `optimizer.safetensors` is of: `param.<name>`, `ema.<name>`, `method.<name>`, else `<state>.<name>`. */
export const PARAMETER = "param.";
export const AVERAGE = "ema.";
export const METHOD = "method.";
