/** Accumulators of the loop: as many multiply-adds are under way at once. */
const ACCUMULATORS = 12;
const [LANES, SECONDS] = [4, 0.3];

/** Header and version of a module; the type of vectors; operations of them. @see https://webassembly.github.io/spec/core/binary */
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const V128 = 0x7b;
const ADD = [0xfd, 0xe4, 0x01];
const FIRST_LANE_AND_END = [0xfd, 0x1f, 0, 0x0b];

const leb = (n: number): number[] => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
const section = (id: number, body: readonly number[]): number[] => [id, ...leb(body.length), ...body];
const f32 = (x: number): number[] => [0x43, ...new Uint8Array(Float32Array.of(x).buffer)];

/** A module whose `run(n)` makes n · ACCUMULATORS multiply-adds of four f32 each, in registers alone. */
function loopModule(): Uint8Array {
  const [get, set] = [(i: number): number[] => [0x20, i], (i: number): number[] => [0x21, i]];
  const accumulators = Array.from({ length: ACCUMULATORS }, (_, i) => i + 1);
  const [b, c] = [ACCUMULATORS + 1, ACCUMULATORS + 2];
  const splat = [0xfd, 0x13];
  const madd = [0xfd, 0x85, 0x02];
  const body = [
    f32(0.5),
    splat,
    set(b),
    f32(1),
    splat,
    set(c),
    [0x03, 0x40],
    ...accumulators.flatMap((i) => [get(i), get(b), get(c), madd, set(i)]),
    // n - 1, and again unless it is 0.
    get(0),
    [0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
    get(1),
    ...accumulators.slice(1).flatMap((i) => [get(i), ADD]),
    FIRST_LANE_AND_END,
  ].flat();
  const code = [1, ...leb(ACCUMULATORS + 2), V128, ...body];
  const parts = [
    MAGIC,
    section(1, [1, 0x60, 1, 0x7f, 1, 0x7d]),
    section(3, [1, 0]),
    section(7, [1, 3, ...new TextEncoder().encode("run"), 0, 0]),
    section(10, [1, ...leb(code.length), ...code]),
  ];
  return Uint8Array.from(parts.flat());
}

/** The most that one thread of this machine computes with vectors of 128 bits, in operations a second, a multiply-add being two. Needs `enableRelaxedSimd`. */
export async function roof128(): Promise<number> {
  const { instance } = await WebAssembly.instantiate(loopModule() as BufferSource);
  const run = instance.exports["run"] as (n: number) => number;
  const n = 1 << 20;
  let best = 0;
  run(n);
  for (const start = performance.now(); performance.now() - start < 1000 * SECONDS;) {
    const began = performance.now();
    run(n);
    best = Math.max(best, (n * ACCUMULATORS * LANES * 2 * 1000) / (performance.now() - began));
  }
  return best;
}
