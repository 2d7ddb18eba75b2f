import { errorAt } from "@weft/io-safetensors";

/** What was summed up of the inputs of a tensor. */
export interface ImatrixEntry {
  /** Σ x² over tokens, [matrices · in]: of experts one matrix behind the other. */
  readonly sums: Float32Array;
  /** How many tokens there were, for each matrix. */
  readonly counts: Float32Array;
}

/** An importance matrix of llama.cpp: what each input of a model's layers counts. */
export interface Imatrix {
  /** By the name that the tensor has in GGUF files: `blk.0.attn_q.weight`. */
  readonly entries: ReadonlyMap<string, ImatrixEntry>;
  /** Names of the texts that it was made from. */
  readonly datasets: readonly string[];
  /** How many pieces of text there were, and tokens of each; files of the older form do not say the second. */
  readonly chunks: number;
  readonly chunkSize?: number;
}

/** What each input counts, [matrices · in]: the mean of x²; 1 for matrices that saw no token. @see llama.cpp `tools/quantize/quantize.cpp` load_imatrix */
export function meansOf({ sums, counts }: ImatrixEntry): Float32Array {
  const width = sums.length / counts.length;
  return sums.map((sum, i) => {
    const count = counts[Math.floor(i / width)]!;
    return count > 0 ? sum / count : 1;
  });
}

/** @throws FormatError kind `imatrix` for numbers that no sums of squares are */
export function checkedEntry(name: string, { sums, counts }: ImatrixEntry, file: string): ImatrixEntry {
  const refuse = (what: string): Error => errorAt("imatrix", what, { file, tensor: name });
  if (counts.length === 0 || sums.length === 0 || sums.length % counts.length !== 0)
    throw refuse(`there are ${sums.length} sums for ${counts.length} matrices`);
  for (const [what, numbers] of [
    ["sum", sums],
    ["count", counts],
  ] as const) {
    const bad = numbers.findIndex((v) => !(v >= 0 && v < Infinity));
    if (bad >= 0) throw refuse(`${what} ${bad} is ${numbers[bad]}, expected a finite number that is not negative`);
  }
  return { sums, counts };
}
