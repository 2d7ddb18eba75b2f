import { bytesPerElement, type DType } from "@weft/tensor-core";
import type { Inner } from "./loop.js";
import { I32, type Local, type WasmLanes } from "./wasm-lanes.js";

/** Opcode of the scalar load of one stored element as i32 bits, and of its store. */
function scalarCode(dtype: DType): { load: number; store: number } {
  const width = bytesPerElement(dtype);
  if (width === 4) return { load: 0x28, store: 0x36 };
  return width === 2 ? { load: 0x2f, store: 0x3b } : { load: dtype === "i8" ? 0x2c : 0x2d, store: 0x3a };
}

/**
 * Reads `width` (4 or 1) stored elements as lanes of raw bits; of one element every lane is a copy.
 * @param first number of the first of them from the pointer on
 */
export function loadRaw(w: WasmLanes, dtype: DType, inner: Inner, width: number, pointer: Local, stride: Local, first = 0): Local {
  const { load } = scalarCode(dtype);
  const size = bytesPerElement(dtype);
  if (width === 1 || inner === "fixed") {
    w.get(pointer).code.raw(load, 0, 0);
    return w.simd(0x11).keep();
  }
  if (inner === "contiguous") {
    w.get(pointer);
    if (size === 4) w.memory(0x00, first * size);
    else if (size === 2) w.memory(0x04, first * size);
    else
      w.memory(0x5c, first * size)
        .simd(dtype === "i8" ? 0x87 : 0x89)
        .simd(dtype === "i8" ? 0xa7 : 0xa9);
    return w.keep();
  }
  const at = w.local(I32);
  w.get(pointer).get(stride).i32Const(first).code.raw(0x6c, 0x6a);
  w.set(at);
  w.get(at).code.raw(load, 0, 0);
  const lanes = w.simd(0x11).keep();
  for (let lane = 1; lane < 4; lane++) {
    step(w, at, stride);
    w.get(lanes).get(at).code.raw(load, 0, 0);
    w.simd(0x1c, lane).set(lanes);
  }
  return lanes;
}

/**
 * Reads elements of a table by number as lanes of raw bits.
 * @param offsets how the numbers of four neighbours differ, if that is known
 */
export function lookupRaw(
  w: WasmLanes,
  dtype: DType,
  inner: Inner,
  width: number,
  table: Local,
  stride: Local,
  index: Local,
  offsets?: readonly number[],
): Local {
  const { load } = scalarCode(dtype);
  const size = bytesPerElement(dtype);
  const bytes = inner === "contiguous" ? w.shift("shl", index, Math.log2(size)) : w.op("imul", [index, w.get(stride).simd(0x11).keep()]);
  const address = (lane: number): void => void w.get(table).get(bytes).simd(0x1b, lane).code.raw(0x6a);
  const first = w.local(I32);
  address(0);
  w.set(first);
  const ahead = offsets?.map((o) => o - offsets[0]!) ?? [];
  if (width === 1 || ahead[3] === 0) return loadRaw(w, dtype, "fixed", 1, first, stride);
  if (inner === "contiguous" && ahead.join() === "0,1,2,3") return loadRaw(w, dtype, inner, 4, first, stride);
  // Pairs in one byte, as codes of four bits are.
  if (inner === "contiguous" && dtype === "u8" && ahead.join() === "0,0,1,1") {
    w.get(first).simd(0x08, 0, 0);
    const [pair, zero] = [w.keep(), w.i32(0)];
    w.get(pair)
      .get(zero)
      .simd(0x0d, ...[0, 0, 1, 1].flatMap((byte) => [byte, 16, 16, 16]));
    return w.keep();
  }
  const lanes = loadRaw(w, dtype, "fixed", 1, first, stride);
  for (let lane = 1; lane < 4; lane++) {
    w.get(lanes);
    address(lane);
    w.code.raw(load, 0, 0);
    w.simd(0x1c, lane).set(lanes);
  }
  return lanes;
}

/**
 * Writes the low bits of `width` lanes.
 * @param offset bytes ahead of the pointer, of neighbours of 32 bits
 */
export function storeRaw(
  w: WasmLanes,
  dtype: DType,
  inner: Inner,
  width: number,
  pointer: Local,
  stride: Local,
  value: Local,
  offset = 0,
): void {
  const { store } = scalarCode(dtype);
  const size = bytesPerElement(dtype);
  const one = (at: Local, lane: number): void => void w.get(at).get(value).simd(0x1b, lane).code.raw(store, 0, 0);
  if (width === 1 || inner === "fixed") return one(pointer, 0);
  if (inner === "contiguous") {
    w.get(pointer).get(value);
    if (size === 4) return void w.memory(0x0b, offset);
    w.get(value).simd(0x86);
    if (size === 2) return void w.simd(0x5b, 0, 0, 0);
    const halves = w.keep();
    return void w.get(halves).get(halves).simd(0x66).simd(0x5a, 0, 0, 0);
  }
  const at = w.local(I32);
  w.get(pointer).set(at);
  for (let lane = 0; lane < 4; lane++) {
    if (lane > 0) step(w, at, stride);
    one(at, lane);
  }
}

/** local += stride */
function step(w: WasmLanes, at: Local, stride: Local): void {
  w.get(at).get(stride).code.raw(0x6a);
  w.set(at);
}
