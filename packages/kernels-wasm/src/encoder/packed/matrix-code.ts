import { closure } from "@weft/tensor-core/program";
import type { Loop } from "../loop.js";
import { operandWord } from "../operand-words.js";
import { DIV_UNSIGNED, MUL, REM_UNSIGNED, LoopCode } from "../loop-code.js";
import type { Local } from "../wasm-lanes.js";
import { Facts } from "./facts.js";
import { Neighbours, type Place } from "./neighbours.js";
import { type Planes, readPlanes } from "./planes.js";

/** What the two kinds of code for a packed matrix share: where its rows lie, and which values are computed once for many elements. */
export class MatrixCode extends LoopCode {
  /** The value of the matrix at [row, column]. */
  readonly value: number;
  /** Operands that are read, but for tables. */
  readonly moving: readonly number[];
  /** Those of them that count columns, which are alike in all rows. */
  readonly shared: readonly number[];
  readonly pointersOfTables: readonly Local[];
  readonly planes: ReadonlyMap<number, Planes>;
  private readonly known = new Map<number, Facts>();

  constructor(w: LoopCode["w"], loop: Loop, relaxed: boolean) {
    super(w, loop);
    this.value = loop.program.outputs[0]!.value;
    this.begin();
    const tables = new Set(loop.program.instructions.flatMap((i) => (i.op === "lookup" ? [i.input] : [])));
    const read = Array.from({ length: this.read }, (_, k) => k);
    this.moving = read.filter((k) => !tables.has(k));
    this.shared = this.moving.filter((k) => this.isCounter(k) && loop.rowSizes.length > 0 && loop.operands[k]!.inner !== "fixed");
    this.pointersOfTables = read.map(() => this.i32());
    this.toBeginning(this.pointersOfTables, [...tables]);
    this.planes = readPlanes(this, this.facts(16), this.pointersOfTables, relaxed);
  }

  facts(count: number): Facts {
    let facts = this.known.get(count);
    if (!facts) this.known.set(count, (facts = new Facts(this, count)));
    return facts;
  }

  /**
   * Pointers of a row.
   * @param other those of a row that is worked on together with it, from the same column on
   */
  newPointers(other?: readonly Local[]): Local[] {
    return this.pointersOfTables.map((table, k) => {
      if (!this.moving.includes(k)) return table;
      return other && this.shared.includes(k) ? other[k]! : this.i32();
    });
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

  /** Writes what others need that is the same over more elements than they are. */
  ahead(facts: Facts, place: Place, targets: readonly number[], same: (v: number) => boolean): Place {
    const at = new Neighbours(this, facts, place);
    const known = new Map(place.known);
    for (const v of closure(this.loop.program, targets, same)) {
      if (same(v) && !known.has(v) && this.loop.program.instructions[v]!.op !== "const") known.set(v, at.lane(v, 0));
    }
    return { ...place, known };
  }

  /** Operands that move from element to element of what `targets` are computed from. */
  usedBy(targets: readonly number[], same: (v: number) => boolean): number[] {
    const reads = closure(this.loop.program, targets, same).map((v) => this.loop.program.instructions[v]!);
    return [...new Set(reads.filter((i) => i.op === "load" || i.op === "index").map((i) => this.operandOf(i)))];
  }
}
