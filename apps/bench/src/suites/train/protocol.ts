/** What a trainer in a process of its own is asked: a line of JSON each way. */
export type TrainCommand =
  | { readonly cmd: "load"; readonly engine: "wasm" | "onnx"; readonly folder: string; readonly threads: number }
  /** Steps of batches of this shape, one after the other. */
  | { readonly cmd: "steps"; readonly rows: number; readonly tokens: number; readonly count: number };

/** What it answers. */
export interface TrainAnswer {
  readonly error?: string;
  /** From the weights in memory to the end of the first step, with `load`; of a step, with `steps`. */
  readonly seconds?: number;
  /** Of the last step. */
  readonly loss?: number;
  /** What the library had forecast for the step, and its operations. */
  readonly forecast?: number;
  readonly flops?: number;
}

/** Rank of the LoRA on all linear layers, its alpha, its seed, and the rate. */
export const RECIPE = { rank: 8, alpha: 16, seed: 0, learningRate: 1e-3 } as const;

/** Batch number `n` of a shape: ids that repeat nothing, as torch_server.py makes them. */
export const idsOf = (n: number, rows: number, tokens: number): number[][] =>
  Array.from({ length: rows }, (_, r) => Array.from({ length: tokens }, (__, i) => 100 + ((n * 7919 + r * 1009 + i * 37) % 40_000)));
