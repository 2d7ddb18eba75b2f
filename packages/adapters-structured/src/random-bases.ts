import { roundTo, sizeOf, torchGenerator, type TorchGenerator, torchKaimingUniform, torchUniform } from "@weft/tensor-core";

const bf16 = (x: number): number => roundTo(x, "bf16");

/** Values by their standard deviation (of a sample), each rounded. */
function normalised(values: Float32Array, round: (x: number) => number): Float32Array {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const deviation = round(Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1)));
  return values.map((v) => round(v / deviation));
}

/** U(±1/√fan_in) in bf16 as torch draws it: an f32 draw that rounds to the excluded upper end becomes the lower one. */
function kaimingBf16(generator: TorchGenerator, shape: readonly number[]): Float32Array {
  const top = bf16(1 / Math.sqrt(sizeOf(shape.slice(1))));
  return torchKaimingUniform(generator, shape).map((v) => (bf16(v) === top ? -top : bf16(v)));
}

/** ±1 with probability 1/(2·sparsity) each, else 0. */
function signs(generator: TorchGenerator, count: number, sparsity: number): Float32Array {
  const share = 1 / (2 * sparsity);
  const [low, high] = [Math.fround(share), Math.fround(1 - share)];
  return torchUniform(generator, count).map((u) => (u < low ? -1 : u > high ? 1 : 0));
}

/**
 * RandLoRA's bases A [r, 1, min] and B [max, n, r] from their seed, bit for bit those of torch on a machine that has bf16 (any CPU): PEFT
 * draws the dense ones in that dtype, and the sparse ones in f32.
 * @param sparsity of the sparse ones
 * @see peft `tuners/randlora/model.py`
 */
export function randomBases(
  key: number,
  shapeA: readonly number[],
  shapeB: readonly number[],
  sparsity: number | undefined,
): { A: Float32Array; B: Float32Array } {
  const generator = torchGenerator(key);
  if (sparsity !== undefined) {
    const A = signs(generator, sizeOf(shapeA), sparsity);
    return { A: normalised(A, Math.fround), B: normalised(signs(generator, sizeOf(shapeB), sparsity), Math.fround) };
  }
  const A = normalised(kaimingBf16(generator, shapeA), bf16);
  const [rows, n, r] = shapeB as [number, number, number];
  const B = new Float32Array(sizeOf(shapeB));
  for (let k = 0; k < n; k++)
    kaimingBf16(generator, [rows, 1, r]).forEach((v, i) => {
      B[(Math.floor(i / r) * n + k) * r + (i % r)] = v;
    });
  return { A, B: normalised(B, bf16) };
}
