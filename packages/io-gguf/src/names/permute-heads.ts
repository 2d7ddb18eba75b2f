import { ShapeError } from "@weft/tensor-core";

/**
 * Rows of a query or key projection in the order of the other side. In a checkpoint of transformers, row `h · d/2 + i` of a head of `d` rows is number `i` of half `h`, as it rotates
 * halves; in a GGUF file of architecture `llama` it is row `2i + h`, as llama.cpp rotates neighbours. Whole rows move, so they may be quantised.
 * @param data the rows, of any type; a bias has rows of one element
 * @param rows how many they are, heads · d
 * @throws ShapeError if rows do not divide into heads of an even number of rows, or data into rows
 */
export function permuteHeads(data: Uint8Array, rows: number, heads: number, to: "gguf" | "hf"): Uint8Array {
  const half = rows / heads / 2;
  const bytes = data.byteLength / rows;
  if (!Number.isInteger(half) || !Number.isInteger(bytes))
    throw new ShapeError(
      `${rows} rows of ${data.byteLength} bytes, expected ${heads} heads of an even number of rows each, and rows of whole bytes`,
    );
  const out = new Uint8Array(data.byteLength);
  for (let head = 0; head < heads; head++)
    for (let i = 0; i < half; i++)
      for (let h = 0; h < 2; h++) {
        const hf = 2 * half * head + h * half + i;
        const gguf = 2 * half * head + 2 * i + h;
        const [from, target] = to === "gguf" ? [hf, gguf] : [gguf, hf];
        out.set(data.subarray(from * bytes, (from + 1) * bytes), target * bytes);
      }
  return out;
}
