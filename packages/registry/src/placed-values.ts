import { type Box, CapabilityError, concat, reshape, slice, swapLast, type Tensor } from "@weft/tensor-core";
import { exchanged, type PlacedPart, type Placement } from "@weft/adapter-files";

/** A box of a tensor, and other values for it. */
export interface Piece {
  readonly box: Box;
  readonly values: Tensor;
}

const lengths = (box: Box): number[] => box.map(([from, to]) => to - from);

/** A weight that a model holds otherwise, out of the tensors that it lies in. @param read a tensor of the model by its name */
export function gatherPlaced({ shape, parts }: Placement, read: (name: string) => Tensor): Tensor {
  const pieces = parts.map(({ tensor, within, of, transposed }): Piece => {
    const box = slice(read(tensor), within);
    const values = transposed ? swapLast(reshape(box, exchanged(lengths(of)))) : reshape(box, lengths(of));
    return { box: of, values };
  });
  return withPieces(shape, pieces);
}

/** Values of such a weight where they belong: pieces of the model's tensors, by their names. */
export function spreadPlaced({ parts }: Placement, weight: Tensor): (readonly [tensor: string, piece: Piece])[] {
  return parts.map(({ tensor, within, of, transposed }: PlacedPart) => {
    const own = slice(weight, of);
    return [tensor, { box: within, values: reshape(transposed ? swapLast(own) : own, lengths(within)) }] as const;
  });
}

/**
 * A tensor made of pieces that do not overlap.
 * @param rest what it is where no piece lies; not needed where they are the whole
 * @throws CapabilityError kind `several-methods` if two overlap
 */
export function withPieces(shape: readonly number[], pieces: readonly Piece[], rest?: Tensor): Tensor {
  return region(
    shape.map((d) => [0, d]),
    0,
    pieces,
    rest,
  );
}

/** A box of it, whose axes before `axis` no piece begins or ends within. */
function region(box: Box, axis: number, pieces: readonly Piece[], rest: Tensor | undefined): Tensor {
  const [first, another] = pieces;
  if (!first) return slice(rest!, box);
  if (!another && first.box.every(([from, to], i) => from <= box[i]![0] && to >= box[i]![1]))
    return slice(
      first.values,
      box.map(([from, to], i) => [from - first.box[i]![0], to - first.box[i]![0]]),
    );
  if (axis === box.length) throw new CapabilityError("an adapter changes a part of a weight in two ways", { kind: "several-methods" });
  const [start, stop] = box[axis]!;
  const ends = pieces.flatMap(({ box: own }) => own[axis]!).filter((at) => at > start && at < stop);
  const cuts = [...new Set([start, ...ends, stop])].sort((a, b) => a - b);
  const parts = cuts.slice(1).map((to, i) => {
    const from = cuts[i]!;
    const inside = pieces.filter(({ box: own }) => own[axis]![0] < to && own[axis]![1] > from);
    return region(
      box.map((range, j) => (j === axis ? [from, to] : range)),
      axis + 1,
      inside,
      rest,
    );
  });
  return concat(parts, axis);
}
