import { NumpyGenerator, type Params, tensor, type Tensor } from "@weft/tensor-core";
import type { Size } from "@weft/tensor-core/methods";

/** Each of 0 … length-1 equally often, or once more, `count` in all, shuffled. @see peft `tuners/unilora/model.py` generate_index */
function balancedPlaces(count: number, length: number, seed: number): Int32Array {
  const generator = new NumpyGenerator(seed);
  const each = Math.floor(count / length);
  const places = Int32Array.from({ length: count }, (_, i) => Math.floor(i / Math.max(each, 1)));
  if (count % length > 0) places.set(generator.choice(length, count % length), each * length);
  generator.shuffle(places);
  return places;
}

/**
 * The places of all layers' factors in θ, from the seed: dealt out in the order of the layers, A [r, in] before B [out, r]; and for each entry the scale
 * 1/√(number of entries that have its place).
 * @param sizes of the layers, in the model's order
 */
export function uniLoraPlaces(r: number, sizes: readonly Size[], length: number, seed: number): Params[] {
  const shapes = sizes.map((size) => ({ A: [r, size.in] as const, B: [size.out, r] as const }));
  const total = shapes.reduce((sum, { A, B }) => sum + A[0] * A[1] + B[0] * B[1], 0);
  const places = balancedPlaces(total, length, seed);
  const counts = new Uint32Array(length);
  for (const place of places) counts[place]!++;
  const scales = Float32Array.from(counts, (n) => (n > 0 ? 1 / Math.fround(Math.sqrt(n)) : 0));
  let at = 0;
  const take = (shape: readonly [number, number]): { indices: Tensor; scales: Tensor } => {
    const own = places.slice(at, (at += shape[0] * shape[1]));
    return {
      indices: tensor(own, { shape }),
      scales: tensor(
        Float32Array.from(own, (place) => scales[place]!),
        { shape },
      ),
    };
  };
  return shapes.map((shape) => {
    const [A, B] = [take(shape.A), take(shape.B)];
    return { indices_A: A.indices, indices_B: B.indices, scales_A: A.scales, scales_B: B.scales };
  });
}
