import { ShapeError } from "../errors.js";
import type { TorchGenerator } from "./mt19937.js";

const { fround } = Math;

/**
 * `torch.empty(count).uniform_(low, high)` in f32, bit for bit as on CPUs with fused multiply-add:
 * u = (24 random bits)·2⁻²⁴, value = round(u·(high − low) + low) with one rounding.
 *
 * The f64 sum below is exact wherever |low| and high − low are within 2⁵ of each other, as in every initialiser here.
 */
export function torchUniform(generator: TorchGenerator, count: number, low = 0, high = 1): Float32Array {
  const from = fround(low);
  const range = fround(fround(high) - from);
  const out = new Float32Array(count);
  for (let i = 0; i < count; i++) out[i] = (generator.nextUint32() & 0xffffff) * 2 ** -24 * range + from;
  return out;
}

/**
 * `torch.nn.init.kaiming_uniform_(weight, a)` in f32: U(−b, b) with b = √3·√(2/(1 + a²))/√fan_in and
 * fan_in = the product of all dimensions but the first. The default a = √5 is that of `nn.Linear` and of LoRA's A.
 *
 * @throws ShapeError with fewer than two dimensions
 */
export function torchKaimingUniform(generator: TorchGenerator, shape: readonly number[], a: number = Math.sqrt(5)): Float32Array {
  if (shape.length < 2) throw new ShapeError(`Kaiming initialisation needs at least two dimensions, got [${shape.join(", ")}]`);
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  // The same order of f64 operations as in Python, so that the bound rounds to the same f32.
  const bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + a ** 2)) / Math.sqrt(fanIn));
  return torchUniform(generator, fanIn * shape[0]!, -bound, bound);
}

/**
 * `torch.empty(count).normal_(mean, std)` in f32, by Box–Muller in torch's order of draws: below 16 elements pairs of f64 (the second
 * one kept for the next call), from 16 on blocks of 16 f32 uniforms, radii from the first eight, angles from the last eight;
 * a partial last block overlaps the one before and is drawn anew.
 *
 * The draws are torch's own. Values may differ in the last bits, because torch's log, sin and cos differ from CPU to CPU
 * (and so do its results): each is within 2⁻²⁰ of torch's.
 */
export function torchNormal(generator: TorchGenerator, count: number, mean = 0, std = 1): Float32Array {
  if (count < 16) return Float32Array.from({ length: count }, () => nextNormal(generator) * std + mean);
  const out = torchUniform(generator, count);
  for (let start = 0; start + 16 <= count; start += 16) boxMuller16(out.subarray(start, start + 16), mean, std);
  if (count % 16 !== 0) {
    const last = out.subarray(count - 16);
    last.set(torchUniform(generator, 16));
    boxMuller16(last, mean, std);
  }
  return out;
}

/**
 * The first `take` entries of `torch.randperm(count)`: for i = 0 … count − 2 swap entry i with entry i + (u32 mod (count − i)).
 * FourierFT takes the positions of its coefficients from it. Memory is that of the entries taken.
 */
export function torchRandperm(generator: TorchGenerator, count: number, take: number = count): Float64Array {
  const moved = new Map<number, number>();
  const at = (i: number): number => moved.get(i) ?? i;
  return Float64Array.from({ length: Math.min(take, count) }, (_, i) => {
    if (i === count - 1) return at(i);
    const j = i + (generator.nextUint32() % (count - i));
    const chosen = at(j);
    moved.set(j, at(i));
    moved.delete(i);
    return chosen;
  });
}

function nextNormal(generator: TorchGenerator): number {
  const spare = generator.spareNormal;
  if (spare !== undefined) {
    generator.spareNormal = undefined;
    return spare;
  }
  const angle = 2 * Math.PI * generator.nextDouble();
  const radius = Math.sqrt(-2 * Math.log1p(-generator.nextDouble()));
  generator.spareNormal = radius * Math.sin(angle);
  return radius * Math.cos(angle);
}

/** Turns 16 uniforms into 16 normals in place; every step rounds to f32 as torch's does. */
function boxMuller16(block: Float32Array, mean: number, std: number): void {
  for (let j = 0; j < 8; j++) {
    const radius = fround(Math.sqrt(fround(-2 * fround(Math.log(1 - block[j]!)))));
    const angle = fround(fround(2 * Math.PI) * block[j + 8]!);
    block[j] = fround(radius * fround(Math.cos(angle))) * fround(std) + fround(mean);
    block[j + 8] = fround(radius * fround(Math.sin(angle))) * fround(std) + fround(mean);
  }
}
