/**
 * The key t at which weights, added from the largest key down, first reach `target`: Σ weight(key > t) < target ≤ Σ weight(key ≥ t). The least key if all
 * of them together do not reach it. By quickselect: time proportional to the number of keys, without sorting them.
 * @param keys [n], n ≥ 1
 * @param weights [n], not negative
 */
export function keyAtMass(keys: Float64Array, weights: Float64Array, target: number): number {
  const [k, w] = [keys.slice(), weights.slice()];
  const swap = (a: number, b: number): void => {
    const [key, weight] = [k[a]!, w[a]!];
    k[a] = k[b]!;
    w[a] = w[b]!;
    k[b] = key;
    w[b] = weight;
  };
  let [low, high] = [0, k.length];
  let missing = target;
  let least = Infinity;
  while (low < high) {
    const pivot = k[(low + high) >>> 1]!;
    // Larger ones to the front, smaller ones to the end; what they weigh decides where to go on.
    let [above, at, below] = [low, low, high];
    let [heavier, equal] = [0, 0];
    while (at < below) {
      if (k[at]! > pivot) {
        heavier += w[at]!;
        swap(at++, above++);
      } else if (k[at]! < pivot) swap(at, --below);
      else equal += w[at++]!;
    }
    if (heavier >= missing) high = above;
    else if (heavier + equal >= missing) return pivot;
    else {
      missing -= heavier + equal;
      low = below;
      least = Math.min(least, pivot);
    }
  }
  return least;
}
