import {
  broadcastTo,
  type Device,
  div,
  type MatrixShape,
  mul,
  type Parts,
  type PartSpec,
  position,
  shiftRight,
  sub,
  type Tensor,
} from "@weft/tensor-core";
import { float } from "../graph.js";
import { type PartBytes, type QuantFormat, type QuantizedWeight, valuesOf } from "../quant-format.js";
import { integerLevels } from "../rounding.js";
import type { IntegerBits } from "./bits-at.js";

/** Integers with a scale and a zero point for each group of columns: w[o, i] = scales[groups[i], o] · (codes[o, i] - zeros[groups[i], o]). */
export interface Integers {
  readonly bits: IntegerBits;
  readonly shape: MatrixShape;
  /** 0 … 2^bits - 1, [out, in]. */
  readonly codes: Uint8Array;
  /** [groups, out]. */
  readonly zeros: Uint8Array;
  /** [groups, out]. */
  readonly scales: Float32Array;
  /** The group of each column, [in]. */
  readonly groups: Int32Array;
}

/** How a program lays integers down. Places are given row by row or element by element. */
export interface IntegerLayout {
  readonly name: string;
  readonly bits: IntegerBits;
  /** Columns that share a scale; -1 for all of a row. */
  readonly groupSize: number;
  readonly block: number;
  parts(shape: MatrixShape): { readonly [part: string]: PartSpec };
  code(parts: Parts, shape: MatrixShape, row: Tensor, column: Tensor): Tensor;
  /** The group of a column, where it is not column / groupSize. */
  readonly group?: (parts: Parts, column: Tensor) => Tensor;
  zero(parts: Parts, shape: MatrixShape, row: Tensor, group: Tensor): Tensor;
  /** In f32. */
  scale(parts: Parts, shape: MatrixShape, row: Tensor, group: Tensor): Tensor;
  /** False for integers of its bits and groups that it cannot hold for another reason. */
  readonly fits?: (integers: Integers) => boolean;
  /** The parts of integers that fit; undefined for layouts that are only read. */
  readonly pack?: (integers: Integers) => PartBytes;
  /** The nearest integers of a weight, without data. */
  readonly round?: (values: Float32Array, shape: MatrixShape, groupSize: number) => Integers;
}

/** A format of integers in groups, whose integers are had without loss. */
export interface IntegerFormat extends QuantFormat {
  readonly groupSize: number;
  /** True if these integers can be stored as they are. */
  holds(integers: Integers): boolean;
  integers(weight: QuantizedWeight, device?: Device): Promise<Integers>;
  readonly pack?: (integers: Integers) => PartBytes;
  /** The nearest integers of a weight, without data; groups are neighbours. */
  readonly round?: (values: Float32Array, shape: MatrixShape) => Integers;
}

/** Groups in a row. */
export const groupCount = (groupSize: number, width: number): number => (groupSize < 0 ? 1 : Math.ceil(width / groupSize));

/** The group of every column where groups are neighbours. */
export const neighbours = (groupSize: number, width: number): Int32Array =>
  Int32Array.from({ length: width }, (_, i) => (groupSize < 0 ? 0 : Math.floor(i / groupSize)));

/** The format of a layout. */
export function integerFormat(layout: IntegerLayout): IntegerFormat {
  const { name, bits, groupSize, block, pack, round } = layout;
  const group = (parts: Parts, column: Tensor): Tensor => {
    if (layout.group) return layout.group(parts, column);
    if (groupSize < 0) return mul(column, 0);
    return Number.isInteger(Math.log2(groupSize)) ? shiftRight(column, Math.log2(groupSize)) : div(column, groupSize);
  };
  const codes = (parts: Parts, shape: MatrixShape): Tensor => {
    const { row, column } = position(shape);
    return layout.code(parts, shape, row, column);
  };
  /** Groups along a row, [out, groups]. */
  const grid = ([out, width]: MatrixShape): ReturnType<typeof position> => position([out, groupCount(groupSize, width)]);
  return {
    name,
    bits,
    groupSize,
    block,
    ...(!layout.group && {
      affine: {
        bits,
        group: groupSize,
        codes,
        scales(parts: Parts, shape: MatrixShape) {
          const { row, column } = grid(shape);
          return layout.scale(parts, shape, row, column);
        },
        zeros(parts: Parts, shape: MatrixShape) {
          const { row, column } = grid(shape);
          return broadcastTo(layout.zero(parts, shape, row, column), column.shape);
        },
      },
    }),
    levels: integerLevels(bits),
    parts: (shape) => layout.parts(shape),
    codes,
    decode(parts, shape) {
      const { row, column } = position(shape);
      const g = group(parts, column);
      return mul(float(sub(codes(parts, shape), layout.zero(parts, shape, row, g))), layout.scale(parts, shape, row, g));
    },
    async integers(weight, device) {
      const { shape } = weight;
      const [out, width] = shape;
      const grid = position([groupCount(groupSize, width), out]);
      const column = position([1, width]).column;
      const [c, z, s, g] = await valuesOf(
        weight,
        ({ parts }) => [
          codes(parts, shape),
          // Some layouts have one for all.
          broadcastTo(layout.zero(parts, shape, grid.column, grid.row), [groupCount(groupSize, width), out]),
          layout.scale(parts, shape, grid.column, grid.row),
          group(parts, column),
        ],
        device,
      );
      return {
        bits,
        shape,
        codes: Uint8Array.from(c!),
        zeros: Uint8Array.from(z!),
        scales: Float32Array.from(s!),
        groups: Int32Array.from(g!),
      };
    },
    holds: (integers) =>
      pack !== undefined &&
      integers.bits === bits &&
      integers.scales.length === groupCount(groupSize, integers.shape[1]) * integers.shape[0] &&
      (layout.group !== undefined || neighbours(groupSize, integers.shape[1]).every((n, i) => n === integers.groups[i])) &&
      (layout.fits?.(integers) ?? true),
    ...(pack && { pack }),
    ...(pack &&
      round && {
        round: (values: Float32Array, shape: MatrixShape) => round(values, shape, groupSize),
        encode: (values: Float32Array, shape: MatrixShape) => pack(round(values, shape, groupSize)),
      }),
  };
}
