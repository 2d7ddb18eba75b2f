import { boxOfWeight } from "@weft/adapter-files";
import { type Box, sizeOf } from "@weft/tensor-core";
import type { TensorJob, Place, MergeOp } from "./tensor-job.js";

const whole = (shape: readonly number[]): Box => shape.map((d) => [0, d]);
const sizes = (box: Box): number[] => box.map(([start, stop]) => stop - start);

/**
 * An item as items that lie one behind the other, each with the steps that change all of it: where an adapter changes some rows of a tensor, or
 * one expert of a stack. The item itself if every step changes all of it.
 */
export function sectionsOf(item: TensorJob): readonly TensorJob[] {
  const { shape, source } = item;
  const ranges = item.steps.map(({ place }) => (place ? rangeOf(place.within, shape) : [0, sizeOf(shape)]) as [number, number]);
  const ends = [...new Set([0, sizeOf(shape), ...ranges.flat()])].sort((a, b) => a - b);
  if (ends.length <= 2) return [item];
  const each = item.bytes / sizeOf(shape);
  const from = source.bytes / sizeOf(shape);
  return ends.slice(1).flatMap((end, i) =>
    boxesOf(ends[i]!, end, shape).map((box): TensorJob => {
      const [start, stop] = rangeOf(box, shape);
      const own = inner(sizes(box));
      const steps = item.steps.flatMap((step, k) => (ranges[k]![0] <= start && stop <= ranges[k]![1] ? [within(step, box, shape)] : []));
      return {
        ...item,
        offset: item.offset + start * each,
        bytes: (stop - start) * each,
        shape: own,
        source: { ...source, offset: source.offset + start * from, bytes: (stop - start) * from, shape: own },
        steps,
        patches: [],
      };
    }),
  );
}

/** A matrix of a stack is a matrix. */
const inner = (shape: readonly number[]): readonly number[] => {
  const first = shape.findIndex((d, i) => d > 1 || i >= shape.length - 2);
  return shape.slice(Math.max(0, first));
};

/** The step on a box of the tensor alone. */
function within(step: MergeOp, box: Box, shape: readonly number[]): MergeOp {
  const place: Place = step.place ?? { shape, within: whole(shape), of: whole(shape), transposed: false };
  return { ...step, place: { ...place, within: box, of: boxOfWeight({ ...place, tensor: "" }, box) } };
}

/** First element of a box, and the one behind its last: rows of the first axis that is not of length 1 in it. @see isContiguous */
function rangeOf(box: Box, shape: readonly number[]): [start: number, stop: number] {
  let start = 0;
  for (const [i, [from]] of box.entries()) start = start * shape[i]! + from;
  return [start, start + sizeOf(sizes(box))];
}

/** Whether a box of a tensor is one run of its elements. */
export function isContiguous(box: Box, shape: readonly number[]): boolean {
  const first = box.findIndex(([start, stop]) => stop - start !== 1);
  return first < 0 || box.slice(first + 1).every(([start, stop], i) => start === 0 && stop === shape[first + 1 + i]);
}

/** A run of elements as boxes, each one run. */
function boxesOf(start: number, stop: number, shape: readonly number[]): Box[] {
  if (start >= stop) return [];
  const [, ...rest] = shape;
  const each = sizeOf(rest);
  const rows = ([from, to]: readonly [number, number]): Box => [[from / each, to / each], ...whole(rest)];
  if (start % each === 0 && stop % each === 0) return [rows([start, stop])];
  const row = Math.floor(start / each);
  const inRow = (from: number, to: number): Box[] => {
    const at = Math.floor(from / each);
    return boxesOf(from - at * each, to - at * each, rest).map((box) => [[at, at + 1], ...box]);
  };
  if (stop <= (row + 1) * each) return inRow(start, stop);
  const [first, last] = [Math.ceil(start / each) * each, Math.floor(stop / each) * each];
  return [
    ...(start < first ? inRow(start, first) : []),
    ...(first < last ? [rows([first, last])] : []),
    ...(last < stop ? inRow(last, stop) : []),
  ];
}
