import { ADD, NOT_LESS } from "../loop-code.js";
import type { Local } from "../wasm-lanes.js";
import { ROWS_OF_ITEM } from "./dot-arguments.js";
import type { MatrixCode } from "./matrix-code.js";

const [I32_LOAD, I32_STORE] = [0x28, 0x36];
const [V128_LOAD, SPLAT_LOAD, V128_STORE] = [0x00, 0x09, 0x0b];

/** Bytes for words of rows, of which there are far fewer. */
const WORDS = 8192;

/** Sums of the elements of a row: with their factors, or waiting for those that are the same all along. */
export type SumKind = "total" | "waiting";

/** What belongs to the rows of an item, in scratch memory: words by name, a row a lane, and sums for each line of x. */
export class RowWords {
  private readonly code: MatrixCode;
  private readonly scratch: Local;
  private readonly lines: number;
  private readonly places = new Map<string, number>();
  /** Scratch memory ahead by the words, and by the sums, of the rows before. */
  private readonly row: Local;
  private readonly sumsAt: Local;

  constructor(code: MatrixCode, scratch: Local, lines: number) {
    this.code = code;
    this.scratch = scratch;
    this.lines = lines;
    [this.row, this.sumsAt] = [code.i32(), code.i32()];
  }

  /** Bytes of the scratch memory that it takes. */
  get bytes(): number {
    return WORDS + 2 * ROWS_OF_ITEM * this.perRow;
  }

  /** Writes a loop over the rows. */
  each(body: () => void): void {
    const { code, row, sumsAt, scratch } = this;
    const { w } = code;
    w.get(scratch).set(row);
    w.get(scratch).set(sumsAt);
    code.repeat(() => {
      w.scoped(body);
      code.addTo(sumsAt, () => void w.i32Const(this.perRow));
      code.addTo(row, () => void w.i32Const(4));
      w.get(row)
        .get(scratch)
        .i32Const(ROWS_OF_ITEM * 4);
      code.op(ADD);
      code.leaveIf(NOT_LESS);
    });
  }

  keep(name: string, lanes: Local): void {
    this.code.w.get(this.scratch).get(lanes).memory(V128_STORE, this.place(name));
  }

  /** The words of all rows. */
  all(name: string): Local {
    return this.code.w.get(this.scratch).memory(V128_LOAD, this.place(name)).keep();
  }

  /** The word of row `r`. */
  word(name: string, r: number): Local {
    return this.i32(this.scratch, this.place(name) + r * 4);
  }

  /** In a loop over the rows: the word of the row, four times. */
  splat(name: string): Local {
    return this.code.w.get(this.row).memory(SPLAT_LOAD, this.place(name)).keep();
  }

  wordOfThis(name: string): Local {
    return this.i32(this.row, this.place(name));
  }

  setWordOfThis(name: string, value: Local): void {
    this.code.w.get(this.row).get(value).code.raw(I32_STORE, 0).unsigned(this.place(name));
  }

  /** In a loop over the rows: four sums for a line. */
  sum(kind: SumKind, line: number): Local {
    return this.code.w.get(this.sumsAt).memory(V128_LOAD, this.placeOfSum(kind, line)).keep();
  }

  setSum(kind: SumKind, line: number, value: Local): void {
    this.code.w.get(this.sumsAt).get(value).memory(V128_STORE, this.placeOfSum(kind, line));
  }

  /** The sums for a line, all of a row in its lane. */
  sumsOfAll(kind: SumKind, line: number): Local {
    const { w } = this.code;
    const { lanes } = w;
    const [a, b, c, d] = Array.from({ length: ROWS_OF_ITEM }, (_, r) =>
      w
        .get(this.scratch)
        .memory(V128_LOAD, this.placeOfSum(kind, line) + r * this.perRow)
        .keep(),
    ) as [Local, Local, Local, Local];
    const halves = (u: Local, v: Local): Local => lanes.add(w.shuffle(u, v, [0, 4, 1, 5]), w.shuffle(u, v, [2, 6, 3, 7]));
    const [low, high] = [halves(a, b), halves(c, d)];
    return lanes.add(w.shuffle(low, high, [0, 1, 4, 5]), w.shuffle(low, high, [2, 3, 6, 7]));
  }

  private i32(at: Local, offset: number): Local {
    const { w } = this.code;
    w.get(at).code.raw(I32_LOAD, 0).unsigned(offset);
    return w.set(this.code.i32());
  }

  private get perRow(): number {
    return this.lines * 16;
  }

  private place(name: string): number {
    const known = this.places.get(name) ?? this.places.size * ROWS_OF_ITEM * 4;
    if (known >= WORDS) throw new RangeError(`a format with more than ${WORDS / 16} numbers for rows`);
    this.places.set(name, known);
    return known;
  }

  private placeOfSum(kind: SumKind, line: number): number {
    return WORDS + (kind === "total" ? 0 : ROWS_OF_ITEM * this.perRow) + line * 16;
  }
}
