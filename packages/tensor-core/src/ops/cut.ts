import type { Box } from "../box.js";
import type { Tensor } from "../graph.js";
import { slice } from "./movement.js";

/** The part of `x` in a box; the whole of it is `x` itself. */
export function cut(x: Tensor, box: Box): Tensor {
  return slice(
    x,
    box.map(({ start, size, step }) => [start, size === 0 ? start : start + (size - 1) * step + 1]),
    box.map((r) => r.step),
  );
}
