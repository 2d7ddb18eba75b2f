import { closure } from "@weft/tensor-core/program";
import type { Loop } from "../loop.js";
import { ADD, LESS, MUL, NOT_LESS } from "../loop-code.js";
import { operandWord } from "../operand-words.js";
import { type Local, V128, WasmLanes } from "../wasm-lanes.js";
import { ROWS_ACROSS } from "./dot-arguments.js";
import type { Term } from "./linear-terms.js";
import { MatrixCode } from "./matrix-code.js";
import { Neighbours } from "./neighbours.js";

const [ITEM, END] = [1, 2];
const [V128_LOAD, SPLAT_LOAD, V128_STORE] = [0x00, 0x09, 0x0b];
const QUADS = ROWS_ACROSS / 4;

/** How a packed matrix is multiplied column by column. */
export interface Across {
  /** Over [columns, rows]: neighbours are those in a column. */
  readonly loop: Loop;
  /** Columns over which `same` holds, a divisor of their number. */
  readonly block: number;
  /** Whether a value is the same for a block of a row. */
  readonly same: (v: number) => boolean;
  /** What the matrix is. */
  readonly term: Term & { readonly core: number };
}

/**
 * Writes the module of y = x·Wᵀ as `emitDot` does, of a matrix of which codes of rows lie side by side: `ROWS_ACROSS` of them are an item, and their sums over a
 * block of columns grow side by side. What is the same for a block of each row is computed once for it.
 */
export function emitAcross({ loop, block, same, term }: Across, lines: number, relaxed: boolean): Uint8Array<ArrayBuffer> {
  const w = new WasmLanes(3);
  const { lanes } = w;
  const code = new MatrixCode(w, loop, relaxed);
  const facts = code.facts(ROWS_ACROSS);
  const each = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
  const [x, y, column, left, row] = each(5, () => code.i32()) as [Local, Local, Local, Local, Local];
  const sums = each(lines, () => each(QUADS, () => w.local(V128)));
  const [start, moving] = [code.newPointers(), code.newPointers()];
  const once = closure(loop.program, [term.core], same).filter((v) => same(v) && loop.program.instructions[v]!.op !== "const");

  /** Where `line` of x, or of y, is behind `at`. */
  const lineOf = (at: Local, line: number, step: "xLine" | "yLine"): Local => {
    w.get(at);
    if (line > 0) {
      code.dotWord(step);
      w.i32Const(line);
      code.op(MUL).op(ADD);
    }
    return w.set(code.i32());
  };
  const blockOfColumns = (results: readonly Local[]): void => {
    w.get(column);
    code.dotWord("rows").op(MUL);
    w.get(ITEM).i32Const(ROWS_ACROSS);
    code.op(MUL).op(ADD);
    code.seek(start, row);
    for (const k of code.moving) w.get(start[k]!).set(moving[k]!);
    const ofBlock = new Neighbours(code, facts, { pointers: start, planes: code.planes, known: () => undefined });
    for (const v of once) {
      // In every form that code in the loop may ask for.
      if (facts.narrow[v]) each(ROWS_ACROSS / 16, (part) => ofBlock.sixteen(v, part));
      each(facts.same[v] ? 1 : QUADS, (quad) => ofBlock.lane(v, quad));
    }
    for (const to of sums.flat()) w.get(lanes.f32(0)).set(to);
    w.i32Const(block).set(left);
    code.repeat(() => {
      w.get(left).i32Const(1);
      code.leaveIf(LESS);
      w.scoped(() => {
        const xs = each(lines, (line) =>
          w
            .get(lineOf(x, line, "xLine"))
            .memory(SPLAT_LOAD, 0)
            .keep(),
        );
        const at = new Neighbours(code, facts, {
          pointers: moving,
          planes: code.planes,
          known: () => undefined,
          outside: { same, of: ofBlock },
        });
        each(QUADS, (quad) => {
          const weight = at.lane(term.core, quad);
          sums.forEach((of, line) => code.addProduct(of[quad]!, weight, xs[line]!));
        });
        for (const k of code.moving) code.addTo(moving[k]!, () => void code.word(operandWord(loop, k) + 1));
        code.addTo(x, () => void w.i32Const(4));
      });
      code.addTo(left, () => void w.i32Const(-1));
    });
    each(QUADS, (quad) => {
      const factors = term.factors.map((v) => ofBlock.lane(v, quad));
      const [one, ...more] = term.negative ? [lanes.f32(-1), ...factors] : factors;
      const factor = one === undefined ? lanes.f32(1) : more.reduce((a, b) => lanes.mul(a, b), one);
      results.forEach((to, line) => {
        const total = w
          .get(to)
          .memory(V128_LOAD, quad * 16)
          .keep();
        code.addProduct(total, factor, sums[line]![quad]!);
        w.get(to)
          .get(total)
          .memory(V128_STORE, quad * 16);
      });
    });
    code.addTo(column, () => void w.i32Const(block));
  };

  code.repeat(() => {
    w.get(ITEM).get(END);
    code.leaveIf(NOT_LESS);
    code.dotWord("y");
    w.get(ITEM).i32Const(ROWS_ACROSS * 4);
    code.op(MUL).op(ADD);
    w.set(y);
    w.scoped(() => {
      const results = each(lines, (line) => lineOf(y, line, "yLine"));
      for (const to of results)
        each(QUADS, (quad) =>
          w
            .get(to)
            .get(lanes.f32(0))
            .memory(V128_STORE, quad * 16),
        );
      code.dotWord("x");
      w.set(x);
      w.i32Const(0).set(column);
      code.repeat(() => {
        w.get(column);
        code.dotWord("columns");
        code.leaveIf(NOT_LESS);
        w.scoped(() => blockOfColumns(results));
      });
    });
    code.addTo(ITEM, () => void w.i32Const(1));
  });
  return w.module();
}
