import { type Bounds, contains } from "./bounds/bounds.js";

/** The first element that lies outside its bounds, in words. */
export function firstOutside(got: ArrayLike<number>, bounds: Bounds): string | undefined {
  if (got.length !== bounds.lo.length) return `${got.length} elements, expected ${bounds.lo.length}`;
  for (let i = 0; i < got.length; i++) {
    if (contains(bounds, i, got[i]!)) continue;
    const [low, high] = [bounds.lo[i]!, bounds.hi[i]!];
    return `element ${i} is ${got[i]}, expected ${low === high || low !== low ? low : `${low} … ${high}`}`;
  }
  return undefined;
}
