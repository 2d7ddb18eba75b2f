import { closure, encode } from "@weft/tensor-core/program";
import type { Loop } from "../loop.js";
import { AND, LESS, MUL, NOT_LESS, SUB } from "../loop-code.js";
import { storeRaw } from "../memory-code.js";
import { operandWord } from "../operand-words.js";
import { type Local, WasmLanes } from "../wasm-lanes.js";
import { MatrixCode } from "./matrix-code.js";
import { Neighbours, type Place } from "./neighbours.js";

/** Writes the module that decodes a part of one row of a packed matrix: `run(args, to, number of its first element, count)`. */
export function emitLine(loop: Loop, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const w = new WasmLanes(4);
  new LineCode(new MatrixCode(w, loop, relaxed)).write({ to: 1, from: 2, count: 3 });
  return w.module();
}

/** Writes the module that decodes whole rows of a packed matrix into the loop's output, which is contiguous: `run(args, first row, row behind the last)`. */
export function emitRows(loop: Loop, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const [ROW, END] = [1, 2];
  const w = new WasmLanes(3);
  const code = new MatrixCode(w, loop, relaxed);
  const line = new LineCode(code);
  const [to, from, count] = [code.i32(), code.i32(), code.i32()];
  code.repeat(() => {
    w.get(ROW).get(END);
    code.leaveIf(NOT_LESS);
    w.get(ROW);
    code.word(0).op(MUL).w.set(from);
    code.word(operandWord(loop, code.read)).w.set(to);
    code.addTo(to, () => {
      w.get(from).i32Const(4);
      code.op(MUL);
    });
    code.word(0).w.set(count);
    line.write({ to, from, count });
    code.addTo(ROW, () => void w.i32Const(1));
  });
  return w.module();
}

/** Code that decodes neighbours of one row. */
class LineCode {
  private readonly pointers: readonly Local[];
  private readonly column: Local;

  constructor(private readonly code: MatrixCode) {
    [this.pointers, this.column] = [code.newPointers(), code.i32()];
  }

  /** Decodes `count` elements, the number of the first of which is `from`, into f32 at `to`; `to` and `count` are used up. */
  write({ to, from, count }: { readonly to: Local; readonly from: Local; readonly count: Local }): void {
    const { code, pointers, column } = this;
    const { w, loop, value } = code;
    const scalar = (v: number): boolean => loop.analysis.scalar[v]!;
    w.get(from);
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
        w.get(count).i32Const(width);
        code.leaveIf(LESS);
        if (width === code.span) {
          // What is known of neighbours holds where they begin at a multiple of their number.
          w.get(column).i32Const(code.span - 1);
          code.op(AND);
          w.code.raw(0x0d, 1);
        }
        const at = new Neighbours(code, code.facts(width), place);
        for (let quad = 0; quad * 4 < width; quad++) {
          storeRaw(w, "f32", "contiguous", width, to, to, encode(w.lanes, at.lane(value, quad), dtype, "f32"), quad * 16);
        }
        code.advance(pointers, used, width);
        code.addTo(to, () => void w.i32Const(width * 4));
        w.get(count).i32Const(width);
        code.op(SUB);
        w.set(count);
      });
    }
  }
}
