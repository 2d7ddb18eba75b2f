import { type Box, type Range, whole } from "../box.js";
import { callComposite, type Composite } from "../composite.js";
import type { DType } from "../dtype.js";
import { assertPacked, type Format, type MatrixShape, type PackedWeight, type PartSpec } from "../formats/format.js";
import type { Tensor } from "../graph.js";
import type { Attrs } from "../attrs.js";
import { cast } from "../ops/cast.js";
import { iota } from "../ops/create.js";
import { add, div, less, logicalAnd, mul, sub, where } from "../ops/elementwise.js";
import { gather, linear } from "../ops/linear.js";
import { reshape } from "../ops/movement.js";
import { PACKED_PASSES } from "../plan/packed-products.js";
import type { Part } from "../primitives/primitive.js";
import { partsOf, setFormat } from "./packed-weight.js";

/** One definition per format. */
const definitions = new WeakMap<Format, Composite>();

/**
 * `dequantize`: the weight [out, in] of its parts. It is never a step of its own: products read the parts (`quantLinear`), and so do the loops of what else is
 * computed with it. The parts have no gradient.
 *
 * Inputs: the parts in the format's order. Attributes `shape` [out, in], `dtype` of the result.
 */
function definitionOf(format: Format): Composite {
  const known = definitions.get(format);
  if (known) return known;
  const made: Composite = {
    name: "dequantize",
    packed: PACKED_PASSES,
    decompose(inputs, attrs) {
      const shape = attrs.shape as unknown as MatrixShape;
      return [cast(format.decode(partsOf(format, shape, inputs), shape), attrs.dtype as DType)];
    },
    vjp: () => [],
    gather: (inputs, attrs, index) => rowsByNumber(made, format, inputs, attrs, index),
    slice: ({ attrs }, box) => partOf(format, attrs.shape as unknown as MatrixShape, attrs.dtype as DType, box),
  };
  definitions.set(format, made);
  setFormat(made, format);
  return made;
}

/** True for rows that begin on an element of every part. */
const beginsOnElements = (specs: readonly PartSpec[], row: number): boolean =>
  specs.every(({ rows: r }) => !r || (row * r.elements) % r.rows === 0);

/**
 * Rows by number as the same format over those rows of its parts. Where rows share elements (blocks across rows, words of eight outputs) those that do are
 * taken together, and the wanted one of them picked out. Numbers outside give rows of 0, as of any `gather`.
 */
function rowsByNumber(definition: Composite, format: Format, parts: readonly Tensor[], attrs: Attrs, index: Tensor): Tensor | undefined {
  const shape = attrs.shape as unknown as MatrixShape;
  const [out, width] = shape;
  const specs = Object.values(format.parts(shape));
  let together = 1;
  while (together < out && !beginsOnElements(specs, together)) together++;
  const [groups, n] = [out / together, index.size];
  const whole = specs.every(({ shape: size, rows: r }) => !r || size[r.axis] === (out * r.elements) / r.rows);
  if (!Number.isInteger(groups) || !whole || n * together >= out) return undefined;
  const group = together === 1 ? index : div(index, together);
  const taken = parts.map((part, i) => {
    const { shape: size, rows: r } = specs[i]!;
    if (!r) return part;
    const [before, after] = [size.slice(0, r.axis), size.slice(r.axis + 1)];
    const apart = reshape(part, [...before, groups, size[r.axis]! / groups, ...after]);
    return reshape(gather(apart, group, r.axis), [...before, (n * size[r.axis]!) / groups, ...after]);
  });
  const [rows] = callComposite(definition, taken, { ...attrs, shape: [n * together, width] }) as [Tensor];
  const picked = together === 1 ? rows : gather(rows, add(mul(iota([n]), together), sub(index, mul(group, together))));
  const inside = logicalAnd(less(-1, index), less(index, out));
  return where(reshape(inside, [n, 1]), picked, 0);
}

/** Rows of a weight as the same format over those rows of its parts: from the last row before them that begins on an element of every part. */
function partOf(format: Format, shape: MatrixShape, dtype: DType, [rows, columns]: Box): Part | undefined {
  const [out, width] = shape;
  const specs = Object.values(format.parts(shape));
  const starts = (row: number): boolean => row === out || beginsOnElements(specs, row);
  let [first, end] = [rows!.start, rows!.size === 0 ? rows!.start : rows!.start + (rows!.size - 1) * rows!.step + 1];
  while (!starts(first)) first--;
  while (!starts(end)) end++;
  if (end - first === out) return undefined;
  return {
    boxes: specs.map((spec) => boxOf(spec, first, end, out)),
    attrs: { shape: [end - first, width], dtype },
    within: [{ ...rows!, start: rows!.start - first }, columns!],
  };
}

/** What rows `first … end-1` take of a part. */
function boxOf({ shape, rows }: PartSpec, first: number, end: number, out: number): Box {
  return shape.map((size, axis): Range => {
    if (axis !== rows?.axis) return whole(size);
    const at = (row: number): number => (row === out ? size : (row * rows.elements) / rows.rows);
    return { start: at(first), size: at(end) - at(first), step: 1 };
  });
}

/**
 * A packed weight as a tensor [out, in], which can stand wherever a weight does: products with it read the parts as they lie, and rows of it those rows of the
 * parts.
 * @throws ShapeError, DTypeError naming the part that is not as the format says
 */
export function dequantize(packed: PackedWeight): Tensor {
  const { format, shape, dtype = "f32", parts } = packed;
  assertPacked(packed);
  return callComposite(
    definitionOf(format),
    Object.keys(format.parts(shape)).map((name) => parts[name]!),
    { shape: [...shape], dtype },
  )[0]!;
}

/**
 * x·Wᵀ + b with a packed weight: `linear(x, dequantize(packed), bias)`, which reads the parts in products, forward and backward, and holds W nowhere where the
 * backend claims `quantLinear`. x and bias have gradients, the parts none.
 * @throws ShapeError, DTypeError as `dequantize` and `linear`
 */
export const quantLinear = (x: Tensor, packed: PackedWeight, bias?: Tensor): Tensor => linear(x, dequantize(packed), bias);
