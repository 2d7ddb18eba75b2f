import { bytesPerElement, type DType } from "@weft/tensor-core";
import { compute, decode } from "@weft/tensor-core/program";
import { lookupRaw } from "../memory-code.js";
import { I32, type Local } from "../wasm-lanes.js";
import type { MatrixCode } from "./matrix-code.js";

/** Loads one byte into a lane of sixteen; behind it the same for 2 and 4 bytes. */
const LOAD_LANE = 0x54;
const LANES = [0, 1, 2, 3];

/** Where a program is read in four rows, a row a lane. */
export interface RowsPlace {
  /** Address of an operand's elements, or the index that a counter is at. */
  pointer(k: number): Local;
  /** What is the same all along rows, and computed already. */
  known(v: number): Local | undefined;
  /** Addresses in a table, as i32, that an index is so many bytes ahead of where pointers point to, if they are computed already. */
  entries(table: number, index: number): { readonly at: readonly Local[]; readonly ahead: number } | undefined;
}

/** Values of a program in one column of four rows, a row a lane: what neighbours have in common is computed for four rows at once. */
export class AcrossRows {
  private readonly code: MatrixCode;
  private readonly column: number;
  private readonly span: number;
  private readonly place: RowsPlace;
  private readonly values = new Map<number, Local>();

  /** @param column from where pointers point to on, within a span of `span` columns */
  constructor(code: MatrixCode, column: number, span: number, place: RowsPlace) {
    this.code = code;
    this.column = column;
    this.span = span;
    this.place = place;
  }

  /** The value in each of the rows. */
  lane(v: number): Local {
    const known = this.values.get(v) ?? this.place.known(v);
    if (known !== undefined) return known;
    const made = this.make(v);
    this.values.set(v, made);
    return made;
  }

  private make(v: number): Local {
    const { code } = this;
    const { w } = code;
    const { instructions } = code.loop.program;
    const i = instructions[v]!;
    const exact = code.facts(this.span).exact[v]?.i;
    if (exact) return w.i32(exact[exact.length === 1 ? 0 : this.column]!);
    switch (i.op) {
      case "load": {
        const { dtype } = code.loop.operands[i.input]!;
        return decode(w.lanes, this.gather(this.lanesOf(this.pointer(i.input)), dtype, 0), dtype);
      }
      case "index":
        return this.pointer(code.operandOf(i));
      case "lookup": {
        const { dtype, inner } = code.loop.operands[i.input]!;
        const raw = this.entries(i.input, i.a, dtype);
        if (raw !== undefined) return decode(w.lanes, raw, dtype);
        const table = code.pointersOfTables[i.input]!;
        return decode(w.lanes, lookupRaw(w, dtype, inner, 4, table, code.stride[i.input]!, this.lane(i.a)), dtype);
      }
      case "bitOr": {
        const pair = this.twoBytes(i.a, i.b);
        if (pair !== undefined) return pair;
        break;
      }
      default:
    }
    return compute(
      w.lanes,
      i as Parameters<typeof compute>[1],
      (a) => this.lane(a),
      (a) => instructions[a]!.dtype,
    );
  }

  /** Where an operand is read, or the index that a counter is at. */
  private pointer(k: number): Local {
    const { code, column } = this;
    const { lanes } = code.w;
    const at = this.place.pointer(k);
    if (column === 0 || code.loop.operands[k]!.inner === "fixed") return at;
    return lanes.iadd(at, lanes.imul(code.w.get(code.stride[k]!).simd(0x11).keep(), lanes.i32(column)));
  }

  private lanesOf(v: Local): Local[] {
    const { w } = this.code;
    return LANES.map((lane) => w.get(v).simd(0x1b, lane).set(w.local(I32)));
  }

  /** What lies so many bytes behind four addresses. */
  private gather(addresses: readonly Local[], dtype: DType, behind: number): Local {
    const { w } = this.code;
    const size = bytesPerElement(dtype);
    w.get(w.i32(0));
    const lanes = w.keep();
    LANES.forEach((lane) => {
      w.get(addresses[lane]!)
        .get(lanes)
        .memory(LOAD_LANE + Math.log2(size), behind)
        .code.raw((lane * 4) / size);
      w.set(lanes);
    });
    return dtype === "i8" ? w.lanes.shrS(w.lanes.shl(lanes, 24), 24) : lanes;
  }

  /** Entries of a table whose addresses are known. */
  private entries(table: number, index: number, dtype: DType): Local | undefined {
    const known = this.place.entries(table, index);
    const step = this.code.facts(this.span).steps(index)?.[this.column];
    if (!known || step === undefined) return undefined;
    const behind = known.ahead + step * bytesPerElement(this.code.loop.operands[table]!.dtype);
    return behind < 0 ? undefined : this.gather(known.at, dtype, behind);
  }

  /** Two bytes that follow one another in a table, where they are put together to a number of sixteen bits: read at once. */
  private twoBytes(a: number, b: number): Local | undefined {
    const { code } = this;
    const { instructions } = code.loop.program;
    const whole = (v: number): number | undefined => code.facts(this.span).integer(v);
    const shifted = instructions[b]!;
    if (shifted.op !== "shiftLeft" || whole(shifted.b) !== 8) return undefined;
    const [low, high] = [a, shifted.a].map((v) => {
      const i = instructions[v]!;
      return i.op === "cast" ? instructions[i.a]! : i;
    });
    if (low?.op !== "lookup" || high?.op !== "lookup" || low.input !== high.input || low.dtype !== "u8") return undefined;
    const [first, second] = [low.a, high.a].map((v) => {
      const i = instructions[v]!;
      const plus = i.op === "add" ? whole(i.b) : undefined;
      return plus === undefined ? { base: v, plus: 0 } : { base: (i as { readonly a: number }).a, plus };
    });
    if (first!.base !== second!.base || second!.plus !== first!.plus + 1) return undefined;
    return this.entries(low.input, low.a, "f16");
  }
}
