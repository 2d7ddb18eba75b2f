import { ADD, LESS, MUL, SUB } from "../loop-code.js";
import { type Local, V128, type WasmLanes } from "../wasm-lanes.js";
import { Bytes } from "./bytes.js";
import { longestRow } from "./dot-arguments.js";
import type { MatrixCode } from "./matrix-code.js";
import { scaleOf } from "./planes.js";

const F32_STORE = 0x38;
const [V128_LOAD, SPLAT_LOAD, LANE_LOAD, V128_STORE] = [0x00, 0x09, 0x5c, 0x0b];

/** Elements of x that share a scale as integers. */
export const UNIT = 32;
/** The largest integer that x becomes. */
const MOST = 127;

/** What x is multiplied as: itself, or integers in as many bits as their products need (16), or in 8 where codes are small and there is an instruction for that. */
export type Multiplied = "floats" | "integers" | "bytes";

export interface LinesOptions {
  readonly lines: number;
  readonly multiplied: Multiplied;
  /** Elements for which sums are made, 0 for all whole spans; undefined if there are none. */
  readonly block: number | undefined;
  readonly span: number;
  readonly scratch: Local;
  /** Where in the scratch memory there is room. */
  readonly from: number;
}

/** The lines of x as code for a row reads them, and what is known of their blocks before: sums, and x as integers with a scale for each unit. */
export class Lines {
  private readonly w: WasmLanes;
  private readonly code: MatrixCode;
  private readonly o: LinesOptions;
  private readonly pointers: readonly Local[];
  /** Scratch memory ahead by so many bytes as sums, scales and integers of the columns before take. */
  private readonly sumsAt: Local;
  private readonly scalesAt: Local;
  private readonly integersAt: Local;
  private readonly places: { readonly sums: number; readonly scales: number; readonly integers: number };

  constructor(code: MatrixCode, options: LinesOptions) {
    const { w } = code;
    this.w = w;
    this.code = code;
    this.o = options;
    this.pointers = Array.from({ length: options.lines }, () => code.i32());
    [this.sumsAt, this.scalesAt, this.integersAt] = [code.i32(), code.i32(), code.i32()];
    const sums = options.from;
    const scales = sums + options.lines * this.perLine(4, 16);
    this.places = { sums, scales, integers: scales + options.lines * this.perLine(4, UNIT) };
  }

  /** Four elements. */
  floats(line: number, quad: number): Local {
    return this.w
      .get(this.pointers[line]!)
      .memory(V128_LOAD, quad * 16)
      .keep();
  }

  /** One element, and zeros. */
  single(line: number): Local {
    return this.w.get(this.pointers[line]!).memory(LANE_LOAD, 0).keep();
  }

  /** The vector of integers with this number from here on: eight of them, or sixteen bytes. */
  integers(line: number, at: number): Local {
    return this.readAt(V128_LOAD, this.integersAt, this.placeOfIntegers(line) + at * 16);
  }

  /** The sum of the block with this number from here on, four times. */
  sum(line: number, block: number): Local {
    return this.readAt(SPLAT_LOAD, this.sumsAt, this.places.sums + line * this.perLine(4, 16) + block * 4);
  }

  /** What integers of the unit with this number from here on are to be multiplied with, four times. */
  scale(line: number, unit: number): Local {
    return this.readAt(SPLAT_LOAD, this.scalesAt, this.places.scales + line * this.perLine(4, UNIT) + unit * 4);
  }

  /** To the first column. */
  rewind(): void {
    const { w, code } = this;
    this.pointers.forEach((line, i) => {
      code.dotWord("x");
      code.dotWord("xLine");
      w.i32Const(i);
      code.op(MUL).op(ADD);
      w.set(line);
    });
    this.toStart();
  }

  /** @param whole by a span, which has sums and scales */
  advance(count: number, whole: boolean): void {
    for (const line of this.pointers) this.code.addTo(line, () => void this.w.i32Const(count * 4));
    if (whole) this.advanceKnown(count);
  }

  private advanceKnown(count: number): void {
    const { code, o } = this;
    const add = (local: Local, bytes: number): void => code.addTo(local, () => void this.w.i32Const(bytes));
    if (o.block) add(this.sumsAt, (count / o.block) * 4);
    if (o.multiplied === "floats") return;
    add(this.scalesAt, (count / UNIT) * 4);
    add(this.integersAt, count * this.integerBytes);
  }

  /** Computes what is known before. */
  prepare(): void {
    const { o, w } = this;
    if (o.block === undefined && o.multiplied === "floats") return;
    this.rewind();
    for (let line = 0; line < o.lines; line++) {
      this.toStart();
      w.scoped(() => this.prepareLine(line));
    }
  }

  private prepareLine(line: number): void {
    const { w, code, o } = this;
    const { lanes } = w;
    const { block, span } = o;
    // What is behind the whole spans is not looked at, but in sums of all of them.
    const step = block === 0 ? span : Math.min(span, Math.max(UNIT, block ?? 0));
    const [left, total] = [code.i32(), w.local(V128)];
    w.get(lanes.f32(0)).set(total);
    code.dotWord("columns");
    w.set(left);
    const store = (place: number): void => {
      const pairs = lanes.add(total, w.shuffle(total, total, [2, 3, 0, 1]));
      const all = lanes.add(pairs, w.shuffle(pairs, pairs, [1, 0, 3, 2]));
      w.get(this.sumsAt)
        .get(all)
        .simd(0x1f, 0)
        .code.raw(F32_STORE, 0)
        .unsigned(this.places.sums + line * this.perLine(4, 16) + place * 4);
    };
    code.repeat(() => {
      w.get(left).i32Const(step);
      code.leaveIf(LESS);
      w.scoped(() => {
        const length = Math.min(UNIT, step);
        for (let unit = 0; unit < step / length; unit++) {
          const floats = Array.from({ length: length / 4 }, (_, quad) => this.floats(line, (unit * length) / 4 + quad));
          const values = o.multiplied === "floats" ? floats : this.round(line, unit, floats);
          values.forEach((value, quad) => {
            const column = unit * length + quad * 4;
            if (block && column % block === 0) w.get(lanes.f32(0)).set(total);
            w.get(lanes.add(total, value)).set(total);
            if (block && (column + 4) % block === 0) store(Math.floor(column / block));
          });
        }
        code.addTo(this.pointers[line]!, () => void w.i32Const(step * 4));
        this.advanceKnown(step);
      });
      w.get(left).i32Const(step);
      code.op(SUB);
      w.set(left);
    });
    if (block === 0) store(0);
  }

  /** Stores a unit as integers. @returns their values */
  private round(line: number, unit: number, floats: readonly Local[]): Local[] {
    const { w } = this;
    const { lanes } = w;
    const bytes = new Bytes(w);
    const { scale, inverse } = scaleOf(w, floats, MOST);
    const whole = floats.map((v) => lanes.nearest(lanes.mul(v, inverse)));
    const words = whole.map((v) => lanes.toInt(v));
    const halves = bytes.pairwise(words, "narrowWords");
    const at = this.placeOfIntegers(line) + unit * UNIT * this.integerBytes;
    (this.integerBytes === 1 ? bytes.pairwise(halves, "narrowHalves") : halves).forEach((all, k) =>
      w
        .get(this.integersAt)
        .get(all)
        .memory(V128_STORE, at + k * 16),
    );
    w.get(this.scalesAt)
      .get(scale)
      .simd(0x1f, 0)
      .code.raw(F32_STORE, 0)
      .unsigned(this.places.scales + line * this.perLine(4, UNIT) + unit * 4);
    return whole.map((v) => lanes.mul(v, scale));
  }

  private get integerBytes(): number {
    return this.o.multiplied === "bytes" ? 1 : 2;
  }

  private placeOfIntegers(line: number): number {
    return this.places.integers + line * this.perLine(this.integerBytes, 1);
  }

  private perLine(bytes: number, each: number): number {
    return (longestRow(this.o.lines) / each) * bytes;
  }

  private toStart(): void {
    for (const at of [this.sumsAt, this.scalesAt, this.integersAt]) this.w.get(this.o.scratch).set(at);
  }

  private readAt(opcode: number, at: Local, offset: number): Local {
    return this.w.get(at).memory(opcode, offset).keep();
  }
}
