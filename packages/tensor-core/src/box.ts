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
