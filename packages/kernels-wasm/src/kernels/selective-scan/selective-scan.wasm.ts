import { expAny, sum4 } from "../exp.wasm";
import { madd } from "../float.wasm";
import { loadLanes, storeLanes } from "../lanes.wasm";

@unmanaged
class SelectiveScanArgs {
  /** [batch, length, channels], as delta and y; all f32. */
  x: usize;
  delta: usize;
  /** [channels, states] */
  a: usize;
  /** [batch, length, states], as c. */
  b: usize;
  c: usize;
  /** [channels] */
  d: usize;
  /** [batch, channels, states], as the states after the last step. */
  before: usize;
  y: usize;
  after: usize;
  length: i32;
  channels: i32;
  states: i32;
}

/** Channels of an item: a line of the cache. */
const CHANNELS: i32 = 16;

/** One step of a channel, whose states, at `h`, are replaced. @returns Σ c·h */
// @ts-ignore: decorator
@inline
function step(states: i32, h: usize, a: usize, b: usize, c: usize, delta: v128, entering: v128): f32 {
  let y = f32x4.splat(0);
  for (let s = 0; s < states; s += 4) {
    const at = s << 2, n = states - s;
    const kept = expAny(f32x4.mul(delta, loadLanes(a + at, n)));
    const state = madd(kept, loadLanes(h + at, n), f32x4.mul(entering, loadLanes(b + at, n)));
    storeLanes(h + at, state, n);
    y = madd(state, loadLanes(c + at, n), y);
  }
  return sum4(y);
}

/** Mamba's recurrence over all steps. An item is 16 channels of a sequence, whose states stay in the cache. */
export function selectiveScan(args: SelectiveScanArgs, start: i32, end: i32): void {
  const channels = args.channels, states = args.states;
  const blocks = (channels + CHANNELS - 1) / CHANNELS;
  for (let item = start; item < end; item++) {
    const batch = item / blocks;
    const first = (item - batch * blocks) * CHANNELS;
    const count = min(CHANNELS, channels - first);
    const own = ((<usize>batch * channels + first) * states) << 2;
    memory.copy(args.after + own, args.before + own, (count * states) << 2);
    for (let t = 0; t < args.length; t++) {
      const place = <usize>batch * args.length + t;
      const weights = (place * states) << 2;
      let at = (place * channels + first) << 2, h = args.after + own, a = args.a + ((first * states) << 2);
      for (let channel = 0; channel < count; channel++, at += 4, h += states << 2, a += states << 2) {
        const x = load<f32>(args.x + at), delta = load<f32>(args.delta + at);
        const y = step(states, h, a, args.b + weights, args.c + weights, f32x4.splat(delta), f32x4.splat(delta * x));
        store<f32>(args.y + at, y + load<f32>(args.d + ((first + channel) << 2)) * x);
      }
    }
  }
}
