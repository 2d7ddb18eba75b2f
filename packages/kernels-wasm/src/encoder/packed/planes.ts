import { bytesPerElement } from "@weft/tensor-core";
import { closure } from "@weft/tensor-core/program";
import type { LoopCode } from "../loop-code.js";
import type { Local } from "../wasm-lanes.js";
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
