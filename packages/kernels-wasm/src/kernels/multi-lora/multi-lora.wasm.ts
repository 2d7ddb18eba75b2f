import { storeRow } from "../convert.wasm";
import { scratch } from "../env.wasm";
import { sum4 } from "../exp.wasm";
import { elementBytes, F32_CODE, madd } from "../float.wasm";
import { unpackLine } from "../product/pack-line.wasm";

@unmanaged
class MultiLoraArgs {
  /** [rows, tokens, width] */
  x: usize;
  xFormat: i32;
  tokens: i32;
  width: i32;
  /** i32: the adapter of each row, none if it is not one of them. */
  index: usize;
  adapters: i32;
  /** i32 [adapters + 1] and f32 [adapters]. */
  starts: usize;
  scales: usize;
  /** [total, width] and [total, columns]. */
  a: usize;
  aFormat: i32;
  b: usize;
  bFormat: i32;
  total: i32;
  /** That no adapter exceeds. */
  rank: i32;
  columns: i32;
  /** [rows, tokens, columns] */
  y: usize;
  yFormat: i32;
}

/** In scratch memory: a row of the result; x, a row of A and one of B where they are not f32. As many bytes for each. */
const ROOM: usize = 64 << 10;

/** n elements as f32: where they lie, or in scratch memory. */
function row(room: usize, base: usize, format: i32, first: usize, n: i32): usize {
  if (format == F32_CODE) return base + (first << 2);
  unpackLine(room, base + (first << 1), format, n);
  return room;
}

function dot(x: usize, y: usize, n: i32): f32 {
  let a = f32x4.splat(0), b = a, i = 0;
  for (; i + 8 <= n; i += 8, x += 32, y += 32) {
    a = madd(v128.load(x), v128.load(y), a);
    b = madd(v128.load(x, 16), v128.load(y, 16), b);
  }
  let sum = sum4(f32x4.add(a, b));
  for (; i < n; i++, x += 4, y += 4) sum += load<f32>(x) * load<f32>(y);
  return sum;
}

/** y += f·x */
function addTimes(y: usize, f: f32, x: usize, n: i32): void {
  const factor = f32x4.splat(f);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) v128.store(y, madd(factor, v128.load(x), v128.load(y)));
  for (; i < n; i++, x += 4, y += 4) store<f32>(y, load<f32>(y) + f * load<f32>(x));
}

/** Of each row of the batch the update by its own adapter, of which alone it reads. An item is a token. */
export function multiLora(args: MultiLoraArgs, start: i32, end: i32): void {
  const width = args.width, columns = args.columns;
  for (let token = start; token < end; token++) {
    const adapter = load<i32>(args.index + <usize>(token / args.tokens << 2));
    memory.fill(scratch, 0, columns << 2);
    if (<u32>adapter < <u32>args.adapters) {
      const first = max(0, load<i32>(args.starts + (adapter << 2)));
      const last = min(min(args.total, first + args.rank), load<i32>(args.starts + (adapter << 2), 4));
      const scale = load<f32>(args.scales + (adapter << 2));
      const x = row(scratch + ROOM, args.x, args.xFormat, <usize>token * width, width);
      for (let r = first; r < last; r++) {
        const low = scale * dot(x, row(scratch + 2 * ROOM, args.a, args.aFormat, <usize>r * width, width), width);
        addTimes(scratch, low, row(scratch + 3 * ROOM, args.b, args.bFormat, <usize>r * columns, columns), columns);
      }
    }
    const to = args.y + <usize>token * columns * elementBytes(args.yFormat);
    storeRow(to, args.yFormat, scratch, columns, 1);
  }
}
