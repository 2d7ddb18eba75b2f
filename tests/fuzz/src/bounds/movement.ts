import { type Attrs, roundTo, type Shape, type TensorSpec } from "@weft/tensor-core";
import { type Bounds, Writer } from "./bounds.js";

const sizeOf = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

/** For each place of the result the place of the input at `source(coordinates)`; negative where there is none. */
export function placesOf(to: Shape, from: Shape, source: (at: readonly number[]) => readonly number[]): Int32Array {
  const places = new Int32Array(sizeOf(to));
  const at = to.map(() => 0);
  for (let i = 0; i < places.length; i++) {
    let place = 0;
    source(at).forEach((c, axis) => (place = place < 0 || c < 0 || c >= from[axis]! ? -1 : place * from[axis]! + c));
    places[i] = place;
    for (let axis = to.length - 1; axis >= 0 && ++at[axis]! === to[axis]; axis--) at[axis] = 0;
  }
  return places;
}

type Source = (attrs: Attrs, from: Shape) => (at: readonly number[]) => readonly number[];
const list = (attrs: Attrs, name: string): readonly number[] => attrs[name] as readonly number[];

/** Where an element of the result comes from, per movement. */
const SOURCES: Readonly<Record<string, Source>> = {
  transpose: (attrs) => (at) => {
    const place = at.map(() => 0);
    list(attrs, "axes").forEach((axis, i) => (place[axis] = at[i]!));
    return place;
  },
  broadcast: (_, from) => (at) => at.map((c, i) => (from[i] === 1 ? 0 : c)),
  slice: (attrs) => (at) => at.map((c, i) => list(attrs, "start")[i]! + c * list(attrs, "step")[i]!),
  flip: (attrs, from) => (at) => at.map((c, i) => (list(attrs, "axes").includes(i) ? from[i]! - 1 - c : c)),
  pad: (attrs) => (at) => at.map((c, i) => c - list(attrs, "low")[i]!),
};

/** The bounds of what a movement moves; undefined for other primitives. */
export function movementBounds(op: string, attrs: Attrs, x: Bounds, from: Shape, to: TensorSpec): Bounds | undefined {
  if (op === "reshape" || op === "stopGradient" || op === "barrier") return x;
  const source = SOURCES[op];
  if (!source) return undefined;
  const result = new Writer(sizeOf(to.shape));
  const outside = op === "pad" ? roundTo(attrs.value as number, to.dtype) : NaN;
  placesOf(to.shape, from, source(attrs, from)).forEach((p, i) => {
    if (p < 0) result.exactly(i, outside);
    else {
      result.lo[i] = x.lo[p]!;
      result.hi[i] = x.hi[p]!;
    }
  });
  return result;
}

/** Pieces side by side along an axis. */
export function concatBounds(pieces: readonly Bounds[], shapes: readonly Shape[], axis: number, to: Shape): Bounds {
  const result = new Writer(sizeOf(to));
  let start = 0;
  pieces.forEach(({ lo, hi }, k) => {
    const [first, length] = [start, shapes[k]![axis]!];
    placesOf(to, shapes[k]!, (at) => at.map((c, i) => (i === axis ? (c < first ? -1 : c - first) : c))).forEach((p, i) => {
      if (p < 0) return;
      result.lo[i] = lo[p]!;
      result.hi[i] = hi[p]!;
    });
    start += length;
  });
  return result;
}
