import { isFloat } from "@weft/tensor-core";
import { closure, operandsOf } from "@weft/tensor-core/program";
import { type Loop, loopArguments } from "../loop.js";
import { operandWord } from "../operand-words.js";
import { DIV_UNSIGNED, MUL, REM_UNSIGNED, LoopCode } from "../loop-code.js";
import type { Local } from "../wasm-lanes.js";
import { DOT_WORDS } from "./dot-arguments.js";
import { Facts } from "./facts.js";
import { type Planes, readPlanes } from "./planes.js";

/** Elements that code is written for at once: many where it is short. */
const [LONGEST, LONG, SHORT] = [256, 64, 16];

/** What the two kinds of code for a packed matrix share: where its rows lie, and which values are computed once for many elements. */
export class MatrixCode extends LoopCode {
  /** The value of the matrix at [row, column]. */
  readonly value: number;
  /** Operands that are read, but for tables. */
  readonly moving: readonly number[];
  readonly pointersOfTables: readonly Local[];
  readonly planes: ReadonlyMap<number, Planes>;
  /** Elements of a row that are written out without a loop. */
  readonly span: number;
  /** The integers that elements are computed from are had as bytes. */
  readonly ofBytes: boolean;
  private readonly known = new Map<number, Facts>();
  private readonly firstWord: number;
  private readonly relaxed: boolean;

  constructor(w: LoopCode["w"], loop: Loop, relaxed: boolean) {
    super(w, loop);
    this.firstWord = loopArguments(loop).length;
    this.relaxed = relaxed;
    this.value = loop.program.outputs[0]!.value;
    this.begin();
    const tables = new Set(loop.program.instructions.flatMap((i) => (i.op === "lookup" ? [i.input] : [])));
    const read = Array.from({ length: this.read }, (_, k) => k);
    this.moving = read.filter((k) => !tables.has(k));
    this.pointersOfTables = read.map(() => this.i32());
    this.toBeginning(this.pointersOfTables, [...tables]);
    this.planes = readPlanes(this, this.facts(16), this.pointersOfTables, relaxed);
    this.span = this.spanOf();
    this.ofBytes = this.span !== SHORT;
  }

  /** Where blocks are long, less is left to compute if it is known where in them an element lies. */
  private spanOf(): number {
    const left = (count: number): number => {
      const { exact } = this.facts(count);
      return closure(this.loop.program, [this.value], (v) => exact[v] !== undefined).filter((v) => !exact[v]).length;
    };
    const span = left(LONGEST) < left(LONG) ? LONGEST : LONG;
    return this.areBytes(span) ? span : SHORT;
  }

  /** Whether all integers that elements are computed from are had as bytes, but for those that neighbours have in common. */
  private areBytes(count: number): boolean {
    const [facts, some] = [this.facts(count), this.facts(16)];
    const { instructions } = this.loop.program;
    const isDone = (v: number): boolean => {
      const i = instructions[v]!;
      const isRun = i.op === "lookup" && facts.narrow[v]! && facts.patterns[i.a] !== undefined;
      return isRun || some.same[v]! || facts.exact[v] !== undefined;
    };
    const areBytes = (v: number): boolean => {
      const i = instructions[v]!;
      if (isDone(v)) return true;
      if (!facts.narrow[v] && !isFloat(i.dtype)) return false;
      const bit = facts.oneBit(i);
      return (bit ? [bit.bytes] : operandsOf(i)).every(areBytes);
    };
    return areBytes(this.value);
  }

  /** A word of the argument block behind those of the loop. */
  dotWord(name: (typeof DOT_WORDS)[number]): this {
    return this.word(this.firstWord + DOT_WORDS.indexOf(name));
  }

  /** to += a · b */
  addProduct(to: Local, a: Local, b: Local): void {
    if (this.relaxed) this.w.get(a).get(b).get(to).simd(0x105);
    else this.w.get(a).get(b).simd(0xe6).get(to).simd(0xe4);
    this.w.set(to);
  }

  facts(count: number): Facts {
    let facts = this.known.get(count);
    if (!facts) this.known.set(count, (facts = new Facts(this, count)));
    return facts;
  }

  /** Pointers of a row. */
  newPointers(): Local[] {
    return this.pointersOfTables.map((table, k) => (this.moving.includes(k) ? this.i32() : table));
  }

  /**
   * Sets pointers to the element whose number in the matrix is on the stack.
   * @param column is set to where along the innermost axis that is
   */
  seek(pointers: readonly Local[], column: Local): void {
    const { w, loop } = this;
    const number = w.set(column);
    this.toBeginning(pointers, this.moving);
    w.get(number);
    this.word(0).op(DIV_UNSIGNED);
    this.addOffsets(loop.rowSizes, 4, (k) => operandWord(loop, k) + 1, pointers, this.moving);
    w.get(number);
    this.word(0).op(REM_UNSIGNED);
    w.set(column);
    for (const k of this.moving) {
      this.addTo(pointers[k]!, () => {
        w.get(column).get(this.stride[k]!);
        this.op(MUL);
      });
    }
  }

  /** Operands that move from element to element of what `targets` are computed from. */
  usedBy(targets: readonly number[], same: (v: number) => boolean): number[] {
    const reads = closure(this.loop.program, targets, same).map((v) => this.loop.program.instructions[v]!);
    return [...new Set(reads.filter((i) => i.op === "load" || i.op === "index").map((i) => this.operandOf(i)))];
  }
}
