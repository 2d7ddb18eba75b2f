/** The files of a checkpoint beside those of the adapter. */
export const FILES = {
  /** HF's state of a trainer. */
  trainer: "trainer_state.json",
  /** Parameters in f32, moments and running averages. */
  optimizer: "optimizer.safetensors",
  /** What HF has no field for: where the data stands. */
  weft: "weft_state.json",
  /** Sizes and SHA-256 of all others, written last. */
  done: "done.json",
} as const;

/** Which tensors a name in `optimizer.safetensors` is of: `param.<name>`, `ema.<name>`, else `<state>.<name>`. */
export const PARAMETER = "param.";
export const AVERAGE = "ema.";
