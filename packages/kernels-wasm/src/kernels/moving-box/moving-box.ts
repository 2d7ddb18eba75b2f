import type { Operand } from "@weft/tensor-core";
import { addressOf, type LowerContext } from "../../lower/context.js";

/** A box of a view, at a place that is known when the plan runs. */
export interface MovingBox {
  readonly box: Operand;
  /** Moves it to where the starts in memory say, inside of the view. */
  readonly move: (addresses: Int32Array) => void;
}

/**
 * @param size of the box, along all axes
 * @param starts i32, one for each of `axes`
 */
export function movingBox(
  view: Operand,
  size: readonly number[],
  axes: readonly number[],
  starts: Operand,
  { memory }: LowerContext,
): MovingBox {
  const box = { ...view, shape: size };
  return {
    box,
    move(addresses) {
      const first = addressOf(starts, addresses) >>> 2;
      box.offset = axes.reduce((at, axis, k) => {
        const start = memory.words[first + k * starts.strides[0]!]!;
        return at + Math.max(0, Math.min(start, view.shape[axis]! - size[axis]!)) * view.strides[axis]!;
      }, view.offset);
    },
  };
}
