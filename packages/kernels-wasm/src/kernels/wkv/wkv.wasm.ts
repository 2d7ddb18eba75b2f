import { exp } from "../exp.wasm";
import { madd } from "../float.wasm";
import { loadLanes, storeLanes } from "../lanes.wasm";

@unmanaged
class WkvArgs {
  /** [channels], as u; k, v and y are [batch, length, channels], and the states [batch, channels]; all f32. */
  w: usize;
  u: usize;
  k: usize;
  v: usize;
  numerator: usize;
  denominator: usize;
  exponent: usize;
  y: usize;
  nextNumerator: usize;
  nextDenominator: usize;
  nextExponent: usize;
  length: i32;
  channels: i32;
}

/** Channels of an item: a line of the cache. */
const CHANNELS: i32 = 16;

/** All steps of up to four channels, whose sums stay in registers. */
function run(args: WkvArgs, batch: i32, first: i32, n: i32): void {
  const states = (<usize>batch * args.channels + first) << 2;
  const w = loadLanes(args.w + (first << 2), n), u = loadLanes(args.u + (first << 2), n);
  let a = loadLanes(args.numerator + states, n), b = loadLanes(args.denominator + states, n), p = loadLanes(args.exponent + states, n);
  let at = (<usize>batch * args.length * args.channels + first) << 2;
  for (let t = 0; t < args.length; t++, at += args.channels << 2) {
    const k = loadLanes(args.k + at, n), v = loadLanes(args.v + at, n);
    const bonus = f32x4.add(k, u);
    const q = f32x4.max(p, bonus);
    const past = exp(f32x4.sub(p, q)), now = exp(f32x4.sub(bonus, q));
    storeLanes(args.y + at, f32x4.div(madd(past, a, f32x4.mul(now, v)), madd(past, b, now)), n);
    const fallen = f32x4.add(p, w);
    p = f32x4.max(fallen, k);
    const kept = exp(f32x4.sub(fallen, p)), own = exp(f32x4.sub(k, p));
    a = madd(kept, a, f32x4.mul(own, v));
    b = madd(kept, b, own);
  }
  storeLanes(args.nextNumerator + states, a, n);
  storeLanes(args.nextDenominator + states, b, n);
  storeLanes(args.nextExponent + states, p, n);
}

/** RWKV-4's recurrence over all steps. An item is 16 channels of a sequence. */
export function wkv(args: WkvArgs, start: i32, end: i32): void {
  const blocks = (args.channels + CHANNELS - 1) / CHANNELS;
  for (let item = start; item < end; item++) {
    const batch = item / blocks;
    const first = (item - batch * blocks) * CHANNELS;
    const last = min(first + CHANNELS, args.channels);
    for (let channel = first; channel < last; channel += 4) run(args, batch, channel, last - channel);
  }
}
