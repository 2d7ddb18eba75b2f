import { type DType, type Instruction, isFloat } from "@weft/tensor-core";
import { compute, type Computed } from "@weft/tensor-core/program";
import { lanePatterns, type LanePattern } from "../lane-patterns.js";
import type { LoopCode } from "../loop-code.js";
import { type Vector, vector, VECTOR_LANES } from "../vector-lanes.js";

/** Least and most that an integer can be. */
export type Range = readonly [least: number, most: number];

const ANY: Range = [-(2 ** 31), 2 ** 31 - 1];
const OF_DTYPE: Partial<Record<DType, Range>> = { u8: [0, 255], i8: [-128, 127], bool: [0, 1] };
const isByte = (dtype: DType): boolean => dtype === "u8" || dtype === "i8";
const within = ([least, most]: Range, [from, to]: Range): boolean => least >= from && most <= to;

/** What is known, before it runs, of a program's values for `count` neighbours of a row, the first of which is at a multiple of `count`, a power of two. */
export class Facts {
  readonly count: number;
  readonly patterns: readonly (LanePattern | undefined)[];
  /** One value for all of them. */
  readonly same: readonly boolean[];
  /** Values that depend on nothing but the place among them. */
  readonly exact: readonly (Vector | undefined)[];
  readonly ranges: readonly Range[];
  /** Values that are computed as bytes, sixteen at a time. */
  readonly narrow: readonly boolean[];
  private readonly code: LoopCode;

  constructor(code: LoopCode, count: number) {
    const { instructions } = code.loop.program;
    this.code = code;
    this.count = count;
    this.patterns = lanePatterns(instructions, count, (i) => knownOf(code, i));
    const same: boolean[] = [];
    const exact: (Vector | undefined)[] = [];
    const ranges: Range[] = [];
    const narrow: boolean[] = [];
    [this.same, this.exact, this.ranges, this.narrow] = [same, exact, ranges, narrow];
    instructions.forEach((i, v) => {
      exact.push(this.exactOf(i));
      same.push(this.isSame(i, v));
      ranges.push(this.rangeOf(i));
      narrow.push(count >= 16 && !same[v] && !exact[v] && !isFloat(i.dtype) && isNarrow(ranges[v]!) && this.asBytes(i));
    });
  }

  /** Can be had as bytes. */
  isBytes(v: number): boolean {
    return this.narrow[v]! || ((this.same[v]! || this.exact[v] !== undefined) && isNarrow(this.ranges[v]!));
  }

  /** The one integer that a value is. */
  integer(v: number): number | undefined {
    const i = this.code.loop.program.instructions[v]!;
    return i.op === "const" && !isFloat(i.dtype) ? i.value : undefined;
  }

  /**
   * How far the entries of a table that neighbours look up lie from the first neighbour's, if that is known.
   * @param part which sixteen of them
   */
  steps(index: number, part?: number): readonly number[] | undefined {
    const offsets = this.patterns[index]?.offsets;
    const some = part === undefined ? offsets : offsets?.slice(part * 16, part * 16 + 16);
    return some?.map((o) => o - offsets![0]!);
  }

  /** Numbers of four bits that look up a table of sixteen entries, which is read once. */
  sixteen(i: Instruction & { readonly op: "lookup" }): boolean {
    const { dtype, inner, sixteen } = this.code.loop.operands[i.input]!;
    const fits = this.count >= 16 && sixteen && inner === "contiguous" && (dtype === "f32" || isByte(dtype));
    return fits && !this.same[i.a] && this.isBytes(i.a) && within(this.ranges[i.a]!, [0, 15]);
  }

  /**
   * Bits of words from places that are known on, so that each neighbour's lie in one byte: the value of the words, the places, and how many.
   */
  bitsOfBytes(i: Instruction): { readonly words: number; readonly from: Int32Array; readonly mask: number } | undefined {
    if (i.op !== "bitAnd" || this.count < 16) return undefined;
    const mask = this.integer(i.b);
    const shifted = this.code.loop.program.instructions[i.a]!;
    if (mask === undefined || mask < 0 || mask > 255 || shifted.op !== "shiftRight") return undefined;
    const from = this.exact[shifted.b]?.i;
    if (from?.length !== this.count || this.isBytes(shifted.a)) return undefined;
    const bits = 32 - Math.clz32(mask);
    const inOne = from.every((s) => s >= 0 && s < 32 && (s & 7) + bits <= 8);
    return inOne && new Set(from.map((s) => s & 7)).size <= 2 ? { words: shifted.a, from, mask } : undefined;
  }

  /** By how much, 0 … 7, sixteen values are shifted, if that is known and one number. @param part which sixteen */
  shift(by: number, part: number): number | undefined {
    const all = this.exact[by]?.i;
    const some = all?.length === this.count ? all.subarray(part * 16, part * 16 + 16) : all;
    return some?.every((x) => x === some[0] && x >= 0 && x < 8) ? some[0] : undefined;
  }

  /** One bit of each of some bytes: their value, and places 0 … 7 that are known. */
  oneBit(i: Instruction): { readonly bytes: number; readonly from: Int32Array } | undefined {
    if (i.op !== "bitAnd" || this.integer(i.b) !== 1) return undefined;
    const shifted = this.code.loop.program.instructions[i.a]!;
    if (shifted.op !== "shiftRight" || !this.isBytes(shifted.a)) return undefined;
    const from = this.exact[shifted.b]?.i;
    return from?.length === this.count && from.every((s) => s >= 0 && s < 8) ? { bytes: shifted.a, from } : undefined;
  }

  private get parts(): number[] {
    return Array.from({ length: this.count / 16 }, (_, part) => part);
  }

  private exactOf(i: Instruction): Vector | undefined {
    if (i.op === "load" || i.op === "index" || i.op === "lookup" || i.op === "reduce") return undefined;
    const of = (v: number): Vector | undefined => this.exact[v];
    if (i.op === "bitAnd") {
      const [mask, x] = [this.integer(i.b), this.patterns[i.a]];
      if (mask !== undefined && x && mask >= 0 && x.multiple > mask) {
        const out = vector(this.count);
        out.i.forEach((_, lane) => (out.i[lane] = x.offsets[lane]! & mask));
        return out;
      }
    }
    const { a, b, c } = i as { readonly a?: number; readonly b?: number; readonly c?: number };
    if ([a, b, c].some((v) => v !== undefined && !of(v))) return undefined;
    const { instructions } = this.code.loop.program;
    return compute(
      VECTOR_LANES,
      i as Computed,
      (v) => of(v)!,
      (v) => instructions[v]!.dtype,
    );
  }

  private isSame(i: Instruction, v: number): boolean {
    if (this.count === 1 || i.op === "const") return true;
    const exact = this.exact[v];
    if (exact) return exact.i.every((x) => x === exact.i[0]);
    if (i.op === "load" || i.op === "index") return this.code.loop.operands[this.code.operandOf(i)]!.inner === "fixed";
    if (i.op === "lookup") return this.same[i.a]!;
    const { a, b, c } = i as { readonly a?: number; readonly b?: number; readonly c?: number };
    return [a, b, c].every((x) => x === undefined || this.same[x]) || (this.steps(v)?.every((s) => s === 0) ?? false);
  }

  private rangeOf(i: Instruction): Range {
    const own = OF_DTYPE[i.dtype] ?? ANY;
    if (isFloat(i.dtype)) return ANY;
    const of = (v: number): Range => this.ranges[v]!;
    const bounded = (least: number, most: number): Range => (least >= own[0] && most <= own[1] ? [least, most] : own);
    switch (i.op) {
      case "const":
        return [i.value, i.value];
      case "index":
        return [0, ANY[1]];
      case "cast":
        return isFloat(this.code.loop.program.instructions[i.a]!.dtype) ? own : bounded(...of(i.a));
      case "add":
        return bounded(of(i.a)[0] + of(i.b)[0], of(i.a)[1] + of(i.b)[1]);
      case "sub":
        return bounded(of(i.a)[0] - of(i.b)[1], of(i.a)[1] - of(i.b)[0]);
      case "mul": {
        const products = of(i.a).flatMap((x) => of(i.b).map((y) => x * y));
        return bounded(Math.min(...products), Math.max(...products));
      }
      case "where":
        return [Math.min(of(i.b)[0], of(i.c)[0]), Math.max(of(i.b)[1], of(i.c)[1])];
      case "bitAnd": {
        const masks = [of(i.a), of(i.b)].filter(([least]) => least >= 0).map(([, most]) => 2 ** (32 - Math.clz32(most)) - 1);
        return masks.length > 0 ? [0, Math.min(...masks)] : own;
      }
      case "bitOr":
      case "bitXor": {
        const [x, y] = [of(i.a), of(i.b)];
        return x[0] >= 0 && y[0] >= 0 ? [0, 2 ** (32 - Math.clz32(x[1] | y[1])) - 1] : own;
      }
      case "shiftRight": {
        const by = this.integer(i.b);
        const [least, most] = of(i.a);
        if (by !== undefined && by >= 0 && by < 32) return [least >> by, most >> by];
        return least >= 0 ? [0, most] : own;
      }
      case "shiftLeft": {
        const by = this.integer(i.b);
        return by !== undefined && by >= 0 && by < 32 ? bounded(of(i.a)[0] * 2 ** by, of(i.a)[1] * 2 ** by) : own;
      }
      default:
        return own;
    }
  }

  /** Whether there is a way to compute an instruction whose value fits a byte as bytes. */
  private asBytes(i: Instruction): boolean {
    switch (i.op) {
      case "load": {
        const { dtype, inner } = this.code.loop.operands[i.input]!;
        return isByte(dtype) && inner === "contiguous";
      }
      case "lookup": {
        const { dtype, inner } = this.code.loop.operands[i.input]!;
        if (!isByte(dtype) || inner !== "contiguous") return false;
        return this.patterns[i.a] ? this.parts.every((part) => isRun(this.steps(i.a, part)!)) : this.sixteen(i);
      }
      case "cast":
        return this.isBytes(i.a) && within(this.ranges[i.a]!, OF_DTYPE[i.dtype] ?? ANY);
      case "bitAnd":
        return this.bitsOfBytes(i) !== undefined || this.oneBit(i) !== undefined || (this.isBytes(i.a) && this.isBytes(i.b));
      case "bitOr":
      case "bitXor":
      case "add":
      case "sub":
        return this.isBytes(i.a) && this.isBytes(i.b);
      case "shiftLeft":
      case "shiftRight":
        return this.isBytes(i.a) && this.parts.every((part) => this.shift(i.b, part) !== undefined);
      case "where":
        return (this.same[i.a]! || this.exact[i.a] !== undefined) && this.isBytes(i.b) && this.isBytes(i.c);
      default:
        return false;
    }
  }
}

/** Whether a value that is loaded or counted is the same for neighbours, or counts them. */
export function knownOf(code: LoopCode, i: Instruction): "same" | "counted" | undefined {
  if (i.op !== "load" && i.op !== "index") return undefined;
  const { inner } = code.loop.operands[code.operandOf(i)]!;
  if (inner === "fixed") return "same";
  return i.op === "index" && inner === "contiguous" ? "counted" : undefined;
}

/** Sixteen entries that one load reads. */
const isRun = (steps: readonly number[]): boolean =>
  steps[0] === Math.min(...steps) && [1, 3, 7, 15].includes(Math.max(...steps) - steps[0]);

const isNarrow = (range: Range): boolean => within(range, OF_DTYPE.u8!) || within(range, OF_DTYPE.i8!);
