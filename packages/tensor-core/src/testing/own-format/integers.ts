import { type AffineForm, type Format, type MatrixShape, type Parts, position } from "../../formats/format.js";
import type { Tensor } from "../../graph.js";
import { cast } from "../../ops/cast.js";
import { add, bitAnd, div, mul, sub } from "../../ops/elementwise.js";
import { lookup } from "../../ops/linear.js";
import { reshape } from "../../ops/movement.js";

/** What groups of a format of integers have besides scales. */
export interface IntegersOptions {
  readonly bits: number;
  /** Neighbours that share a scale; -1 for all of a row. */
  readonly group: number;
  /** One zero point for all, or one for each group. */
  readonly zeros: number | "each";
  readonly minima?: boolean;
}

/** Integers of so many bits, a byte each, with scales, zero points and minima for groups of neighbours: every affine form in the plainest clothes. */
export function integers({ bits, group, zeros, minima }: IntegersOptions): Format {
  const groups = ([, width]: MatrixShape): number => (group < 0 ? 1 : Math.ceil(width / group));
  const int = (t: Tensor): Tensor => bitAnd(cast(t, "i32"), 2 ** bits - 1);
  const affine: AffineForm = {
    bits,
    group,
    codes: ({ codes }) => int(codes!),
    scales: ({ absmax }) => absmax!,
    zeros: zeros === "each" ? ({ zeros: each }): Tensor => int(each!) : zeros,
    ...(minima && { minima: ({ least }: Parts) => least! }),
  };
  return {
    name: `integers of ${bits} bits in groups of ${group < 0 ? "rows" : group}, zero ${zeros}${minima ? ", minima" : ""}`,
    block: 1,
    parts(shape) {
      const ofGroups = { shape: [shape[0], groups(shape)], rows: { axis: 0, elements: 1, rows: 1 } };
      return {
        codes: { shape, dtype: "u8", rows: { axis: 0, elements: 1, rows: 1 } },
        absmax: { ...ofGroups, dtype: "f32" },
        ...(zeros === "each" && { zeros: { ...ofGroups, dtype: "u8" } }),
        ...(minima && { least: { ...ofGroups, dtype: "f32" } }),
      };
    },
    decode(parts, shape) {
      const { row, column } = position(shape);
      const at = group < 0 ? row : add(mul(row, groups(shape)), div(column, group));
      const flat = (part: Tensor): Tensor => lookup(reshape(part, [-1]), at);
      const zero = zeros === "each" ? int(flat(parts.zeros!)) : zeros;
      const value = mul(cast(sub(int(parts.codes!), zero), "f32"), flat(parts.absmax!));
      return minima ? add(value, flat(parts.least!)) : value;
    },
    affine,
  };
}
