import { storeRow } from "../convert.wasm";
import { scratch } from "../env.wasm";
import { expRow, log } from "../exp.wasm";
import { elementBytes, F32_CODE } from "../float.wasm";
import { unpackLine } from "../product/pack-line.wasm";

@unmanaged
class CrossEntropyArgs {
  /** [rows, classes] */
  logits: usize;
  format: i32;
  classes: i32;
  /** i32 */
  labels: usize;
  ignore: i32;
  /** Logarithm of each row's Σ exp(x), f32; 0 if it is ignored. */
  logs: usize;
}

@unmanaged
class CrossEntropyForwardArgs extends CrossEntropyArgs {
  /** What each row adds to the loss, logΣexp(x) - x[label], f32; NaN for a label that is no class. */
  losses: usize;
}

@unmanaged
class CrossEntropyBackwardArgs extends CrossEntropyArgs {
  /** Like the logits. */
  result: usize;
  /** Of each row that counts. */
  weight: f32;
}

/** Elements of a row that are in scratch memory at a time. */
const BLOCK: i32 = 2048;

// @ts-ignore: decorator
@inline
function rowOf(args: CrossEntropyArgs, base: usize, row: i32, column: i32): usize {
  return base + (<usize>row * args.classes + column) * elementBytes(args.format);
}

/** Elements in the block of a row that begins at `column`. */
// @ts-ignore: decorator
@inline
function blockOf(args: CrossEntropyArgs, column: i32): i32 {
  return min(BLOCK, args.classes - column);
}

/** A block of a row as f32, filled up to a multiple of eight with what counts for nothing: where it lies, or in scratch memory. */
function unpacked(args: CrossEntropyArgs, row: i32, column: i32): usize {
  const n = blockOf(args, column);
  const from = rowOf(args, args.logits, row, column);
  if (args.format == F32_CODE && (n & 7) == 0) return from;
  unpackLine(scratch, from, args.format, n);
  for (let j = n; (j & 7) != 0; j++) store<f32>(scratch + (j << 2), -Infinity);
  return scratch;
}

/** Exponentials of a block, in scratch memory. @returns their sum */
function expBlock(args: CrossEntropyArgs, row: i32, column: i32, by: v128): f32 {
  return expRow(scratch, unpacked(args, row, column), (blockOf(args, column) + 7) & ~7, by);
}

/** The largest of a row, of which NaN is none: that goes on through its exponential. */
function largest(args: CrossEntropyArgs, row: i32): f32 {
  let most = f32x4.splat(-Infinity), more = most;
  for (let column = 0; column < args.classes; column += BLOCK) {
    let at = unpacked(args, row, column);
    for (const end = at + (blockOf(args, column) << 2); at < end; at += 32) {
      most = f32x4.pmax(most, v128.load(at));
      more = f32x4.pmax(more, v128.load(at, 16));
    }
  }
  most = f32x4.pmax(most, more);
  most = f32x4.pmax(most, v128.shuffle<i64>(most, most, 1, 0));
  return f32x4.extract_lane(f32x4.pmax(most, v128.shuffle<f32>(most, most, 1, 0, 3, 2)), 0);
}

/** What each row adds to the loss. An item is a row. */
export function crossEntropy(args: CrossEntropyForwardArgs, start: i32, end: i32): void {
  for (let row = start; row < end; row++) {
    const label = load<i32>(args.labels + (row << 2));
    let logarithm: f32 = 0, loss: f32 = 0;
    if (label != args.ignore) {
      const most = largest(args, row);
      let sum: f64 = 0;
      for (let column = 0; column < args.classes; column += BLOCK) sum += <f64>expBlock(args, row, column, f32x4.splat(most));
      logarithm = most + log(<f32>sum);
      loss = NaN;
      if (<u32>label < <u32>args.classes) {
        unpackLine(scratch, rowOf(args, args.logits, row, label), args.format, 1);
        loss = logarithm - load<f32>(scratch);
      }
    }
    store<f32>(args.logs + (row << 2), logarithm);
    store<f32>(args.losses + (row << 2), loss);
  }
}

/** (exp(x - log) - one-hot(label))·weight. An item is a row. */
export function crossEntropyBackward(args: CrossEntropyBackwardArgs, start: i32, end: i32): void {
  const classes = args.classes;
  for (let row = start; row < end; row++) {
    const to = rowOf(args, args.result, row, 0);
    const label = load<i32>(args.labels + (row << 2));
    if (label == args.ignore) {
      memory.fill(to, 0, rowOf(args, args.result, row, classes) - to);
      continue;
    }
    const weight = <u32>label < <u32>classes ? args.weight : NaN;
    const log = v128.load_splat<u32>(args.logs + (row << 2));
    for (let column = 0; column < classes; column += BLOCK) {
      expBlock(args, row, column, log);
      if (<u32>(label - column) < <u32>BLOCK) {
        const at = scratch + ((label - column) << 2);
        store<f32>(at, load<f32>(at) - 1);
      }
      storeRow(rowOf(args, args.result, row, column), args.format, scratch, blockOf(args, column), weight);
    }
  }
}
