import { bytesPerElement } from "@weft/tensor-core";
import { closure } from "@weft/tensor-core/program";
import type { LoopCode } from "../loop-code.js";
import type { Local, WasmLanes } from "../wasm-lanes.js";
import { Bytes } from "./bytes.js";
import type { Facts } from "./facts.js";

/** A table of sixteen entries as vectors of all their first bytes, their second bytes …, so that one instruction looks up sixteen numbers. */
export interface Planes {
  readonly bytes: readonly Local[];
  readonly relaxed: boolean;
}

/** Code that reads the tables of a program that are looked up so. @param pointers where tables begin */
export function readPlanes(code: LoopCode, facts: Facts, pointers: readonly Local[], relaxed: boolean): Map<number, Planes> {
  const { program, operands } = code.loop;
  const planes = new Map<number, Planes>();
  for (const v of closure(program, [program.outputs[0]!.value])) {
    const i = program.instructions[v]!;
    if (i.op !== "lookup" || planes.has(i.input) || facts.patterns[i.a] || !facts.sixteen(i)) continue;
    const size = bytesPerElement(operands[i.input]!.dtype);
    const rows = Array.from({ length: size }, (_, at) =>
      code.w
        .get(pointers[i.input]!)
        .simd(0x00, 0, at * 16)
        .keep(),
    );
    planes.set(i.input, { bytes: size === 1 ? rows : apart(new Bytes(code.w), rows), relaxed });
  }
  return planes;
}

/** Four vectors of four words each as their first bytes, their second bytes … */
function apart(bytes: Bytes, [a, b, c, d]: readonly Local[]): Local[] {
  return [0, 1, 2, 3].map((byte) => {
    const eight = [0, 4, 8, 12, 16, 20, 24, 28].map((at) => at + byte);
    const [low, high] = [bytes.shuffle(a!, b!, [...eight, ...eight]), bytes.shuffle(c!, d!, [...eight, ...eight])];
    return bytes.shuffle(low, high, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  });
}

/** The other way: sixteen words, four a vector. */
export function interleaved(bytes: Bytes, [a, b, c, d]: readonly Local[]): Local[] {
  return [0, 1].flatMap((half) => {
    const [low, high] = [bytes.interleave(a!, b!, half, 1), bytes.interleave(c!, d!, half, 1)];
    return [0, 1].map((quarter) => bytes.interleave(low, high, quarter, 2));
  });
}

/** A table of sixteen floats as integers of sixteen bits, their lower and their upper bytes, and what those are to be multiplied with. */
export interface IntegerPlanes {
  readonly bytes: readonly [low: Local, high: Local];
  readonly scale: Local;
}

/** Code that rounds a table of sixteen f32 to 32767ths of the largest magnitude. @param pointer where it begins */
export function integerPlanes({ w }: LoopCode, pointer: Local): IntegerPlanes {
  const { lanes } = w;
  const levels = [0, 1, 2, 3].map((at) =>
    w
      .get(pointer)
      .memory(0x00, at * 16)
      .keep(),
  );
  const { scale, inverse } = scaleOf(w, levels, 32767);
  const [a, b, c, d] = levels.map((v) => lanes.toInt(lanes.nearest(lanes.mul(v, inverse)))) as [Local, Local, Local, Local];
  const bytes = new Bytes(w);
  const [low, high] = [bytes.narrowWords(a, b), bytes.narrowWords(c, d)];
  const every = (from: number): number[] => Array.from({ length: 16 }, (_, at) => 2 * at + from);
  return { bytes: [bytes.shuffle(low, high, every(0)), bytes.shuffle(low, high, every(1))], scale };
}

/** Largest magnitude of floats, divided by `most`, and the inverse of that; both for all lanes. The inverse of 0 is 0. */
export function scaleOf(w: WasmLanes, values: readonly Local[], most: number): { readonly scale: Local; readonly inverse: Local } {
  const { lanes } = w;
  const pairs = values.map((v) => lanes.abs(v)).reduce((a, b) => lanes.max(a, b));
  const two = lanes.max(pairs, w.shuffle(pairs, pairs, [2, 3, 0, 1]));
  const largest = lanes.max(two, w.shuffle(two, two, [1, 0, 3, 2]));
  const some = lanes.lt(lanes.f32(0), largest);
  return {
    scale: lanes.mul(largest, lanes.f32(1 / most)),
    inverse: lanes.select(some, lanes.div(lanes.f32(most), largest), lanes.f32(0)),
  };
}
