import { packBlock } from "../product/pack-block.wasm";

@unmanaged
class PackRightArgs {
  b: usize;
  kStride: i32;
  columnStride: i32;
  format: i32;
  packed: usize;
  k: i32;
  n: i32;
}

/** Packs the right operand into strips of 8 columns, [strip][k][8] f32. An item is one strip. */
export function packRight(args: PackRightArgs, start: i32, end: i32): void {
  const size = args.format == 0 ? 4 : 2;
  const from = args.b + (start << 3) * args.columnStride * size;
  const strip = <usize>args.k << 5;
  packBlock(args.packed + start * strip, strip, from, args.format, args.kStride, args.columnStride, args.k, min(args.n, end << 3) - (start << 3), 8);
}
