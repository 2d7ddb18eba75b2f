import { closure, encode } from "@weft/tensor-core/program";
import type { Loop } from "../loop.js";
import { AND, LESS, SUB } from "../loop-code.js";
import { storeRaw } from "../memory-code.js";
import { type Local, WasmLanes } from "../wasm-lanes.js";
import { MatrixCode } from "./matrix-code.js";
import { Neighbours, type Place } from "./neighbours.js";

const [TO, FROM, COUNT] = [1, 2, 3];

/** Writes the module that decodes a part of one row of a packed matrix: `run(args, to, number of its first element, count)`. */
export function emitLine(loop: Loop, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const w = new WasmLanes(4);
  const code = new MatrixCode(w, loop, relaxed);
  const { value } = code;
  const scalar = (v: number): boolean => loop.analysis.scalar[v]!;
  const [pointers, column] = [code.newPointers(), code.i32()];
  w.get(FROM);
  code.seek(pointers, column);
  const known = new Map<number, Local>();
  const place: Place = { pointers, planes: code.planes, known: (v) => known.get(v) };
  const one = new Neighbours(code, code.facts(4), place);
  for (const v of closure(loop.program, [value], scalar)) {
    if (scalar(v) && loop.program.instructions[v]!.op !== "const") known.set(v, one.lane(v, 0));
  }
  const used = code.usedBy([value], scalar);
  const { dtype } = loop.program.instructions[value]!;
  for (const width of [code.span, 4, 1]) {
    code.repeat(() => {
      w.get(COUNT).i32Const(width);
      code.leaveIf(LESS);
      if (width === code.span) {
        // What is known of neighbours holds where they begin at a multiple of their number.
        w.get(column).i32Const(code.span - 1);
        code.op(AND);
        w.code.raw(0x0d, 1);
      }
      const at = new Neighbours(code, code.facts(width), place);
      for (let quad = 0; quad * 4 < width; quad++) {
        storeRaw(w, "f32", "contiguous", width, TO, TO, encode(w.lanes, at.lane(value, quad), dtype, "f32"), quad * 16);
      }
      code.advance(pointers, used, width);
      code.addTo(TO, () => void w.i32Const(width * 4));
      w.get(COUNT).i32Const(width);
      code.op(SUB);
      w.set(COUNT);
    });
  }
  return w.module();
}
