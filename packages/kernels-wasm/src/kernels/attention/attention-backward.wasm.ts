import { scaleRows, storeRow } from "../convert.wasm";
import { scratch } from "../env.wasm";
import { expRow, sum4 } from "../exp.wasm";
import { copyRows, pitchOf, rowBytes, Rows, SCORE_PITCH } from "./rows.wasm";
import { lengthOf, maskRow, QueryKeyValue, seen4, sightOf, sightOfRows } from "./sight.wasm";
import { transpose } from "../transpose.wasm";
import { product } from "./tiles.wasm";

@unmanaged
class AttentionBackwardArgs extends QueryKeyValue {
  y: usize;
  yBatch: i32;
  yHead: i32;
  yRow: i32;
  yFormat: i32;
  yWidth: i32;
  dy: usize;
  dyBatch: i32;
  dyHead: i32;
  dyRow: i32;
  dyFormat: i32;
  dyWidth: i32;
  /** f32, as the forward pass wrote them. */
  logs: usize;
  /** f32 [parts, slab, rows, width] of which the sum over the parts is the result, with whole tiles of 4 rows and 8 columns; bytes of a slab, slabs of a part. */
  dq: usize;
  dqSlab: i32;
  slabs: i32;
  parts: i32;
  dk: usize;
  dkFormat: i32;
  dv: usize;
  dvFormat: i32;
  /** Query rows and keys at a time, multiples of 4 and 8. */
  rows: i32;
  step: i32;
}

/** Where the pairs of one row are: scores become weights, and the weights' gradients those of the scores (but for their scale). */
function slopes(p: usize, d: usize, keys: i32, log: f32, mean: f32, mask: usize, maskStep: i32, end: i32): void {
  expRow(p, p, keys, f32x4.splat(log));
  const middle = f32x4.splat(mean);
  for (let k = 0; k < keys; k += 4, p += 16, d += 16) {
    const seen = mask || end < keys ? seen4(mask, maskStep, k, end) : i32x4.splat(-1);
    const weight = v128.and(v128.load(p), seen);
    v128.store(p, weight);
    v128.store(d, v128.and(f32x4.mul(weight, f32x4.sub(v128.load(d), middle)), seen));
  }
}

/** Σ y·dy of one row; `dy` has zeros behind its end, and so has the copy of y that is made in `row`. */
function meanSlope(row: usize, pitch: usize, y: Rows, slab: usize, r: i32, perHead: i32, dy: usize): f32 {
  copyRows(row, pitch, y, slab, r, 1, perHead);
  let sum = f32x4.splat(0);
  for (let j: usize = 0; j < pitch; j += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(row + j), v128.load(dy + j)));
  return sum4(sum);
}

/**
 * `attentionBackward` in the form of FlashAttention-2: for each block of keys the queries pass by, the weights are made again from the scores and
 * L, and dk, dv and a part of dq are summed up. No matrix of scores lies in memory. An item is one part of one slab: every `parts`-th block of keys.
 * @see Dao 2023, algorithm 2
 */
export function attentionBackward(args: AttentionBackwardArgs, start: i32, end: i32): void {
  const base = changetype<usize>(args);
  const q = changetype<Rows>(base + offsetof<AttentionBackwardArgs>("q")), k = changetype<Rows>(base + offsetof<AttentionBackwardArgs>("k"));
  const v = changetype<Rows>(base + offsetof<AttentionBackwardArgs>("v")), y = changetype<Rows>(base + offsetof<AttentionBackwardArgs>("y"));
  const dy = changetype<Rows>(base + offsetof<AttentionBackwardArgs>("dy"));
  const queries = args.queries, groups = args.groups, parts = args.parts, step = args.step, shared = args.shared;
  const total = shared * queries;
  const pitch = pitchOf(k.width), vPitch = pitchOf(v.width), tile = <usize>args.rows * SCORE_PITCH;
  const p = scratch, d = p + tile, tileQ = d + tile, tileDy = tileQ + <usize>args.rows * pitch, row = tileDy + <usize>args.rows * vPitch;
  const tileK = row + vPitch, sumK = tileK + <usize>step * pitch, sumV = sumK + <usize>step * pitch;
  const turnedK = sumV + <usize>step * vPitch, turnedV = turnedK + (pitch << 6);
  for (let item = start; item < end; item++) {
    const slab = item / parts, part = item - slab * parts, batch = slab / groups, group = slab - batch * groups;
    const length = lengthOf(args, batch), head = group * shared;
    const fromK = k.data + batch * k.batch + group * k.head, fromV = v.data + batch * v.batch + group * v.head;
    const fromQ = q.data + batch * q.batch + head * q.head, fromY = y.data + batch * y.batch + head * y.head, fromDy = dy.data + batch * dy.batch + head * dy.head;
    const dq = args.dq + <usize>(part * args.slabs + slab) * args.dqSlab;
    memory.fill(dq, 0, args.dqSlab);
    for (let k0 = part * step; k0 < args.keys; k0 += parts * step) {
      const keys = min(step, args.keys - k0), whole = (keys + 3) & ~3;
      memory.fill(tileK, 0, <usize>step * pitch);
      copyRows(tileK, pitch, k, fromK, k0, keys, args.keys);
      scaleRows(tileK, <usize>step * pitch, args.scale);
      transpose(turnedK, SCORE_PITCH, tileK, pitch, step, k.width);
      copyRows(sumV, vPitch, v, fromV, k0, keys, args.keys);
      transpose(turnedV, SCORE_PITCH, sumV, vPitch, step, v.width);
      memory.fill(sumK, 0, <usize>step * (pitch + vPitch));
      for (let first = 0; first < total; first += args.rows) {
        const count = min(args.rows, total - first), last = first + count - 1;
        if (sightOfRows(args, length, first, last) <= k0) continue;
        const rows = (count + 3) & ~3;
        copyRows(tileQ, pitch, q, fromQ, first, count, queries);
        copyRows(tileDy, vPitch, dy, fromDy, first, count, queries);
        memory.fill(tileQ + <usize>count * pitch, 0, <usize>(rows - count) * pitch);
        memory.fill(tileDy + <usize>count * vPitch, 0, <usize>(rows - count) * vPitch);
        for (let r = 0; r < rows; r += 4) {
          const at = <usize>r * SCORE_PITCH;
          const seen = min(keys, sightOfRows(args, length, first + r, min(last, first + r + 3)) - k0), tiles = (max(0, seen) + 7) & ~7;
          product(tileQ + <usize>r * pitch, pitch, 4, turnedK, SCORE_PITCH, k.width, p + at, SCORE_PITCH, <usize>tiles << 2, false);
          product(tileDy + <usize>r * vPitch, vPitch, 4, turnedV, SCORE_PITCH, v.width, d + at, SCORE_PITCH, <usize>tiles << 2, false);
          for (let i = r; i < r + 4; i++) {
            const ps = p + <usize>i * SCORE_PITCH, ds = d + <usize>i * SCORE_PITCH, t = (first + i) % queries;
            if (i < count)
              slopes(ps, ds, tiles, load<f32>(args.logs + (<usize>(slab * total + first + i) << 2)), meanSlope(row, vPitch, y, fromY, first + i, queries, tileDy + <usize>i * vPitch), maskRow(args, batch, t, k0), args.maskKey, sightOf(args, length, t) - k0);
            const none = i < count ? tiles : 0;
            memory.fill(ps + (none << 2), 0, max(0, whole - none) << 2);
            memory.fill(ds + (none << 2), 0, max(0, whole - none) << 2);
          }
          product(d + at, SCORE_PITCH, 4, tileK, pitch, max(0, seen), dq + <usize>(first + r) * pitch, pitch, pitch, true);
        }
        for (let i = 0; i < whole; i += 4) {
          // Of one head the queries before the keys see none of them.
          const early = args.causal && first / queries == last / queries ? min(rows, max(0, k0 + i - length + queries - first % queries)) : 0;
          const at = <usize>early * SCORE_PITCH + (i << 2);
          product(p + at, 4, SCORE_PITCH, tileDy + <usize>early * vPitch, vPitch, rows - early, sumV + <usize>i * vPitch, vPitch, vPitch, true);
          product(d + at, 4, SCORE_PITCH, tileQ + <usize>early * pitch, pitch, rows - early, sumK + <usize>i * pitch, pitch, pitch, true);
        }
      }
      for (let i = 0; i < keys; i++) {
        const at = slab * args.keys + k0 + i;
        storeRow(args.dk + rowBytes(at, k.width, args.dkFormat), args.dkFormat, sumK + <usize>i * pitch, k.width, args.scale);
        storeRow(args.dv + rowBytes(at, v.width, args.dvFormat), args.dvFormat, sumV + <usize>i * vPitch, v.width, 1);
      }
    }
  }
}
