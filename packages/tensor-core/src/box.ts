import type { Shape } from "./shape.js";

/** What a box takes of one axis: `size` elements from `start` on, `step` apart. */
export interface Range {
  readonly start: number;
  readonly size: number;
  readonly step: number;
}

/** A range per axis of a tensor. */
export type Box = readonly Range[];

/** All of an axis of length `n`. */
export const whole = (n: number): Range => ({ start: 0, size: n, step: 1 });

/** The shape of what a box takes. */
export const boxShape = (box: Box): number[] => box.map((r) => r.size);

/** True if a box takes all of a tensor. */
export const isWhole = (box: Box, shape: Shape): boolean => box.every((r, i) => r.size === shape[i]);

/** The box `inner` of what the box `outer` takes, as a box of the same tensor as `outer`. */
export const compose = (outer: Box, inner: Box): Box =>
  inner.map((r, i) => ({ start: outer[i]!.start + r.start * outer[i]!.step, size: r.size, step: outer[i]!.step * r.step }));

const sameRange = (a: Range, b: Range): boolean => a.start === b.start && a.size === b.size && a.step === b.step;
const end = ({ start, size, step }: Range): number => (size === 0 ? start : start + (size - 1) * step + 1);

/** The smallest box around boxes; along an axis where they take the same it is what they take, else elements without gaps. */
export function hull([first, ...others]: readonly [Box, ...Box[]]): Box {
  return first.map((range, i) => {
    if (others.every((box) => sameRange(box[i]!, range))) return range;
    const start = others.reduce((low, box) => Math.min(low, box[i]!.start), range.start);
    return { start, size: others.reduce((high, box) => Math.max(high, end(box[i]!)), end(range)) - start, step: 1 };
  });
}

/** A box as a box of what `outer`, a hull around it, takes. */
export const relative = (outer: Box, box: Box): Box =>
  box.map((r, i) => (sameRange(r, outer[i]!) ? whole(r.size) : { ...r, start: r.start - outer[i]!.start }));
