import { scaleRows, storeRow } from "../convert.wasm";
import { scratch } from "../env.wasm";
import { F32_CODE, madd } from "../float.wasm";
import { expRow, log } from "../exp.wasm";
import { copyRows, KEYS, MASKED, pitchOf, rowBytes, Rows, SCORE_PITCH } from "./rows.wasm";
import { lengthOf, maskRow, QueryKeyValue, seen4, sightOf, sightOfRows } from "./sight.wasm";
import { sums4, transpose } from "../transpose.wasm";
import { product } from "./tiles.wasm";

/** Rows up to which scores are dots with the keys where they lie; above, keys are transposed for products of tiles. */
const FEW: i32 = 8;

@unmanaged
class AttentionArgs extends QueryKeyValue {
  /** Results, row by row: y, and the logarithms of the sums (f32). */
  y: usize;
  yFormat: i32;
  logs: usize;
  /** Query rows of an item, and items of a slab. */
  rows: i32;
  blocks: i32;
}

/** In scratch memory, per row: the largest score so far, and the sum of exp(score - largest). Behind them, 32 bytes. */
const TOP: usize = 0;
const TOTAL: usize = 512;
const SPARE: usize = 1024;
const SCORES: usize = 1056;

/** Scores of a few rows, two at a time, with four keys at a time, which lie `kRow` bytes apart. Both have zeros behind ends that are not whole vectors. */
function scoresOfFew(s: usize, q: usize, qPitch: usize, rows: i32, k: usize, kRow: usize, keys: i32, width: i32): void {
  for (let j = 0; j < keys; j += 4, k += 4 * kRow) {
    const k1 = j + 1 < keys ? k + kRow : k, k2 = j + 2 < keys ? k1 + kRow : k, k3 = j + 3 < keys ? k2 + kRow : k;
    for (let i = 0; i < rows; i += 2) {
      const x = q + <usize>i * qPitch, y = i + 1 < rows ? x + qPitch : x;
      let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
      for (let p: usize = 0; p < <usize>width << 2; p += 16) {
        const v = v128.load(x + p), w = v128.load(y + p);
        let key = v128.load(k + p);
        s0 = madd(v, key, s0);
        t0 = madd(w, key, t0);
        key = v128.load(k1 + p);
        s1 = madd(v, key, s1);
        t1 = madd(w, key, t1);
        key = v128.load(k2 + p);
        s2 = madd(v, key, s2);
        t2 = madd(w, key, t2);
        key = v128.load(k3 + p);
        s3 = madd(v, key, s3);
        t3 = madd(w, key, t3);
      }
      const to = s + <usize>i * SCORE_PITCH + (j << 2);
      v128.store(to, sums4(s0, s1, s2, s3));
      v128.store(to, sums4(t0, t1, t2, t3), SCORE_PITCH);
    }
  }
}

/** o += weights · values for one row; values lie `vRow` bytes apart. */
function addValues(o: usize, p: usize, v: usize, vRow: usize, keys: i32, width: i32): void {
  for (const end = p + (keys << 2); p < end; p += 16, v += 4 * vRow) {
    // Weights behind the last key are 0; their values are any finite numbers.
    const none = scratch + SCORES, v1 = p + 4 < end ? v + vRow : none, v2 = p + 8 < end ? v1 + vRow : none, v3 = p + 12 < end ? v2 + vRow : none;
    const p0 = v128.load_splat<u32>(p), p1 = v128.load_splat<u32>(p, 4), p2 = v128.load_splat<u32>(p, 8), p3 = v128.load_splat<u32>(p, 12);
    for (let j: usize = 0; j < <usize>width << 2; j += 16) {
      const even = madd(p2, v128.load(v2 + j), madd(p0, v128.load(v + j), v128.load(o + j)));
      v128.store(o + j, f32x4.add(even, madd(p3, v128.load(v3 + j), f32x4.mul(p1, v128.load(v1 + j)))));
    }
  }
}

/** Scores of row `r` become weights exp(score - largest). Of `keys` scores those before `end` count that the mask shows. @returns exp(what was largest - what is) */
function weigh(s: usize, keys: i32, mask: usize, maskStep: i32, end: i32, r: i32): f32 {
  const low = f32x4.splat(MASKED);
  const state = scratch + (r << 2);
  const before = v128.load_splat<u32>(state, TOP);
  const whole = (keys + 7) & ~7;
  if (mask || end < whole) for (let k = 0; k < whole; k += 4) v128.store(s + (k << 2), v128.bitselect(v128.load(s + (k << 2)), low, seen4(mask, maskStep, k, end)));
  let most = before, more = before;
  for (let k = 0; k < whole; k += 8) {
    // A NaN need not be found here: it goes on through its weight.
    most = f32x4.pmax(most, v128.load(s + (k << 2)));
    more = f32x4.pmax(more, v128.load(s + (k << 2), 16));
  }
  most = f32x4.pmax(most, more);
  most = f32x4.pmax(most, v128.shuffle<i64>(most, most, 1, 0));
  most = f32x4.pmax(most, v128.shuffle<f32>(most, most, 1, 0, 3, 2));
  store<f32>(state, f32x4.extract_lane(most, 0), TOP);
  // While nothing is seen the weights are 0, not 1.
  most = v128.andnot(most, f32x4.eq(most, low));
  v128.store(scratch + SPARE, before);
  expRow(scratch + SPARE, scratch + SPARE, 8, most);
  const fade = load<f32>(scratch + SPARE);
  store<f32>(state, load<f32>(state, TOTAL) * fade + expRow(s, s, whole, most), TOTAL);
  return fade;
}

/**
 * `attention` in the form of FlashAttention: keys and values pass by, 64 at a time, with a running maximum and sum per row, so that scores never
 * lie in memory. The query heads that share a key head are rows of one slab; an item is `rows` of them.
 * @see Dao et al. 2022, algorithm 1
 */
export function attention(args: AttentionArgs, start: i32, end: i32): void {
  const base = changetype<usize>(args);
  const q = changetype<Rows>(base + offsetof<AttentionArgs>("q")), k = changetype<Rows>(base + offsetof<AttentionArgs>("k")), v = changetype<Rows>(base + offsetof<AttentionArgs>("v"));
  const queries = args.queries, groups = args.groups, blocks = args.blocks, rows = args.rows;
  const total = args.shared * queries;
  const few = total <= FEW;
  const pitch = pitchOf(k.width), vPitch = pitchOf(v.width);
  const s = scratch + SCORES, tileQ = s + <usize>FEW * SCORE_PITCH, acc = tileQ + <usize>rows * pitch, tileK = acc + <usize>rows * vPitch;
  const tileV = tileK + <usize>KEYS * pitch;
  const copyK = !few || k.format != F32_CODE || (k.width & 3), copyV = !few || v.format != F32_CODE || (v.width & 7);
  for (let item = start; item < end; item++) {
    const slab = item / blocks, batch = slab / groups, group = slab - batch * groups;
    const first = (item - slab * blocks) * rows;
    const count = min(rows, total - first);
    const length = lengthOf(args, batch);
    const fromK = k.data + batch * k.batch + group * k.head, fromV = v.data + batch * v.batch + group * v.head;
    copyRows(tileQ, pitch, q, q.data + batch * q.batch + group * args.shared * q.head, first, count, queries);
    scaleRows(tileQ, <usize>count * pitch, args.scale);
    memory.fill(acc, 0, <usize>rows * vPitch);
    memory.fill(s, 0, FEW * SCORE_PITCH);
    for (let r = 0; r < count; r++) {
      store<f32>(scratch + (r << 2), -Infinity, TOP);
      store<f32>(scratch + (r << 2), 0, TOTAL);
    }
    const last = sightOfRows(args, length, first, first + count - 1);
    for (let k0 = 0; k0 < last; k0 += KEYS) {
      const keys = min(KEYS, last - k0);
      let atK = fromK + k0 * k.row, atV = fromV + k0 * v.row;
      let kRow = <usize>k.row, vRow = <usize>v.row;
      if (copyK) {
        atK = few ? tileK : tileV;
        kRow = pitch;
        copyRows(atK, pitch, k, fromK, k0, keys, args.keys);
        if (!few) transpose(tileK, SCORE_PITCH, atK, pitch, KEYS, k.width);
      }
      if (few) scoresOfFew(s, tileQ, pitch, count, atK, kRow, keys, k.width);
      if (copyV) {
        atV = tileV;
        vRow = vPitch;
        copyRows(tileV, vPitch, v, fromV, k0, keys, args.keys);
      }
      const step = few ? FEW : 4;
      for (let r = 0; r < count; r += step) {
        const stop = min(count, r + step);
        const seen = min(keys, sightOfRows(args, length, first + r, first + stop - 1) - k0);
        if (seen <= 0) continue;
        if (!few) product(tileQ + <usize>r * pitch, pitch, 4, tileK, SCORE_PITCH, k.width, s, SCORE_PITCH, <usize>seen << 2, false);
        for (let i = r, t = (first + r) % queries; i < stop; i++) {
          scaleRows(acc + <usize>i * vPitch, vPitch, weigh(s + <usize>(i - r) * SCORE_PITCH, seen, maskRow(args, batch, t, k0), args.maskKey, sightOf(args, length, t) - k0, i));
          if (++t == queries) t = 0;
        }
        if (count < 3) for (let i = 0; i < count; i++) addValues(acc + <usize>i * vPitch, s + <usize>i * SCORE_PITCH, atV, vRow, seen, v.width);
        else for (let i = r; i < stop; i += 4) product(s + <usize>(i - r) * SCORE_PITCH, SCORE_PITCH, 4, atV, vRow, seen, acc + <usize>i * vPitch, vPitch, vPitch, true);
      }
    }
    for (let r = 0; r < count; r++) {
      const at = slab * total + first + r;
      const sum = load<f32>(scratch + (r << 2), TOTAL);
      storeRow(args.y + rowBytes(at, v.width, args.yFormat), args.yFormat, acc + <usize>r * vPitch, v.width, sum == 0 ? 0 : 1 / sum);
      store<f32>(args.logs + (at << 2), sum == 0 ? Infinity : load<f32>(scratch + (r << 2), TOP) + log(sum));
    }
  }
}
