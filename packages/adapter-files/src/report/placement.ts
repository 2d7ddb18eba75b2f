import type { Box } from "@weft/tensor-core";

/**
 * Where a weight lies, as an adapter sees it, in a base that holds it otherwise: as rows of a fused projection, as one of a stack of experts, or in
 * several tensors that are stacked or joined.
 */
export interface Placement {
  /** Of the weight that the adapter sees. */
  readonly shape: readonly number[];
  readonly dtype: string;
  /** What it is made of: disjoint, together the whole. */
  readonly parts: readonly PlacedPart[];
}

/**
 * A box of a base tensor that is a box of the weight: the same elements in the same order. Axes correspond from the last one back; what one of
 * them has more in front is of length 1 there.
 */
export interface PlacedPart {
  /** Name of the base tensor. */
  readonly tensor: string;
  /** The box of that tensor. */
  readonly within: Box;
  /** The box of the weight. */
  readonly of: Box;
  /** The last two axes are exchanged. */
  readonly transposed: boolean;
}

interface Sized {
  readonly shape: readonly number[];
  readonly dtype: string;
}

const whole = (shape: readonly number[]): Box => shape.map((d) => [0, d]);

/** A tensor of the base as it is. */
export function placeWhole(tensor: string, { shape, dtype }: Sized): Placement {
  return { shape, dtype, parts: [{ tensor, within: whole(shape), of: whole(shape), transposed: false }] };
}

/** The tensor of the base that a weight is, if it is all of one and as it is stored. */
export function wholeTensor({ shape, parts: [part, more] }: Placement, base: { info(name: string): Sized }): string | undefined {
  if (!part || more || part.transposed || base.info(part.tensor).shape.join() !== shape.join()) return undefined;
  return part.tensor;
}

/** A box of a weight as a weight of its own; leading axes that `box` gives as a number are dropped. */
export function placeBox({ shape, dtype, parts }: Placement, box: readonly (number | readonly [start: number, stop: number])[]): Placement {
  const ranges = shape.map((d, i) => rangeOf(box[i] ?? [0, d]));
  const dropped = box.filter((range) => typeof range === "number").length;
  const cut = parts.flatMap((part): PlacedPart[] => {
    const common = part.of.map(([from, to], i) => [Math.max(from, ranges[i]![0]), Math.min(to, ranges[i]![1])] as const);
    if (common.some(([from, to]) => from >= to)) return [];
    const of = common.map(([from, to], i) => [from - ranges[i]![0], to - ranges[i]![0]] as const);
    return [{ ...part, within: narrowed(part, common), of: of.slice(dropped) }];
  });
  return { shape: ranges.slice(dropped).map(([from, to]) => to - from), dtype, parts: cut };
}

const rangeOf = (range: number | readonly [number, number]): readonly [number, number] =>
  typeof range === "number" ? [range, range + 1] : range;

/** The box of a part's tensor that a box of the weight inside the part is. */
function narrowed({ within, of, transposed }: PlacedPart, inside: Box): Box {
  const [target, source] = transposed ? [exchanged(inside), exchanged(of)] : [inside, of];
  const extra = within.length - target.length;
  return within.map((range, i) => {
    const at = i - extra;
    if (at < 0) return range;
    return [range[0] + target[at]![0] - source[at]![0], range[0] + target[at]![1] - source[at]![0]];
  });
}

/** The box of the weight that a box of the tensor inside the part is. */
export function boxOfWeight({ within, of, transposed }: PlacedPart, inside: Box): Box {
  return narrowed({ tensor: "", within: of, of: within, transposed }, inside);
}

/** With the last two entries exchanged. */
export const exchanged = <T>(list: readonly T[]): T[] => [...list.slice(0, -2), ...list.slice(-2).reverse()];

/** Matrices, or stacks of them, turned the other way round. */
export function placeTransposed({ shape, dtype, parts }: Placement): Placement {
  return {
    shape: exchanged(shape),
    dtype,
    parts: parts.map((part) => ({ ...part, of: exchanged(part.of), transposed: !part.transposed })),
  };
}

/** Weights of one shape along a new first axis. */
export function placeStack(weights: readonly Placement[]): Placement {
  return placeJoined(
    weights.map(({ shape, dtype, parts }) => ({
      shape: [1, ...shape],
      dtype,
      parts: parts.map((part) => ({ ...part, of: [[0, 1], ...part.of] })),
    })),
    0,
  );
}

/** Weights one behind the other along an axis, in which alone they may differ. */
export function placeJoined(weights: readonly Placement[], axis: number): Placement {
  let at = 0;
  const parts: PlacedPart[] = [];
  for (const weight of weights) {
    const start = at;
    for (const part of weight.parts)
      parts.push({ ...part, of: part.of.map(([from, to], i) => (i === axis ? [from + start, to + start] : [from, to])) });
    at += weight.shape[axis]!;
  }
  return { shape: weights[0]!.shape.map((d, i) => (i === axis ? at : d)), dtype: weights[0]!.dtype, parts };
}
