import { closure } from "@weft/tensor-core/program";
import { lanePatterns } from "../lane-patterns.js";
import type { Arithmetic } from "../../arithmetic.js";
import type { Loop } from "../loop.js";
import { ADD, LESS, MUL, NOT_LESS, SELECT, SUB } from "../loop-code.js";
import { type Local, V128, WasmLanes } from "../wasm-lanes.js";
import { AcrossRows } from "./across-rows.js";
import { longestRow, ROWS_OF_ITEM } from "./dot-arguments.js";
import { linearTerms, type Term } from "./linear-terms.js";
import { Lines, UNIT } from "./lines.js";
import { knownOf } from "./facts.js";
import { MatrixCode } from "./matrix-code.js";
import { Neighbours, type Place } from "./neighbours.js";
import { type RowSums, rowSumsOf, unitOf } from "./row-sums.js";
import { RowWords } from "./row-words.js";

const [ITEM, END] = [1, 2];
const [GLOBAL_GET, I32_LOAD_BYTE, F32_STORE] = [0x23, 0x2d, 0x38];

/** Elements of a row over which a scale may be the same; 0 stands for all of them. */
const BLOCKS = [0, 64, 32, 16];

/** A product of values that are the same for neighbours. */
interface Scaled {
  readonly factors: readonly number[];
  readonly by: number;
}

/** How a value is summed: its terms, and the largest block for which the least is left to compute for each element. */
interface Sums {
  readonly block: number;
  readonly terms: readonly Term[];
  readonly same: (v: number) => boolean;
  /** Integers that code for neighbours needs as numbers. */
  readonly scalars: ReadonlySet<number>;
}

function sumsOf(code: MatrixCode): Sums {
  const { program, analysis } = code.loop;
  const scalar = (v: number): boolean => analysis.scalar[v]!;
  const choices = BLOCKS.filter((block) => block <= code.span).map((block) => {
    const facts = block === 0 ? undefined : code.facts(block);
    const same = (v: number): boolean => scalar(v) || (facts?.same[v] ?? false);
    const terms = linearTerms(program, code.value, same);
    const cores = terms.flatMap(({ core }) => core ?? []);
    const scalars = scalarsOf(code, cores, same);
    const done = (v: number): boolean => same(v) || scalars.has(v) || code.facts(code.span).exact[v] !== undefined;
    return { block, terms, same, scalars, cost: closure(program, cores, done).filter((v) => !done(v)).length };
  });
  return choices.reduce((best, choice) => (choice.cost < best.cost ? choice : best));
}

/** Lookups that go ahead along a row by the same step from span to span. */
interface Stream {
  readonly table: number;
  /** The value that the indices of these lookups are, but for numbers that come to it. */
  readonly base: number;
  /** Bytes. */
  readonly step: number;
  /** How many bytes behind the entry of the base the first neighbour's are, by index. */
  readonly ahead: Map<number, number>;
}

function streamsOf(code: MatrixCode, values: readonly number[], same: (v: number) => boolean): Stream[] {
  const { program, operands } = code.loop;
  const patterns = lanePatterns(program.instructions, longestRow(1), (i) => knownOf(code, i), code.span);
  const streams = new Map<string, Stream>();
  for (const v of closure(program, values, same)) {
    const i = program.instructions[v]!;
    if (i.op !== "lookup" || same(v) || operands[i.input]!.inner !== "contiguous") continue;
    const offsets = patterns[i.a]?.offsets;
    if (!offsets?.every((o, k) => o === k * offsets[1]!) || !code.facts(code.span).patterns[i.a]) continue;
    const { base, plus } = baseOf(code, i.a);
    const stream = streams.get(`${i.input} ${base}`) ?? {
      table: i.input,
      base,
      step: offsets[1]! * code.unit(i.input),
      ahead: new Map<number, number>(),
    };
    streams.set(`${i.input} ${base}`, stream);
    stream.ahead.set(i.a, plus * code.unit(i.input));
  }
  return [...streams.values()];
}

/** An index as another one and a number: what it adds that is known of the first neighbour. */
function baseOf(code: MatrixCode, index: number): { readonly base: number; readonly plus: number } {
  const facts = code.facts(code.span);
  let [base, plus] = [index, 0];
  for (let i = code.loop.program.instructions[base]!; i.op === "add"; i = code.loop.program.instructions[base]!) {
    const [a, b] = [facts.exact[i.a]?.i[0], facts.exact[i.b]?.i[0]];
    if (a === undefined && b === undefined) break;
    plus += (b ?? a)!;
    base = b === undefined ? i.b : i.a;
  }
  return { base, plus };
}

/** Where runs of a table begin, and by how much all neighbours are shifted. */
function scalarsOf(code: MatrixCode, cores: readonly number[], same: (v: number) => boolean): Set<number> {
  const facts = code.facts(code.span);
  const { instructions } = code.loop.program;
  const scalars = new Set<number>();
  for (const v of closure(code.loop.program, cores, same)) {
    const i = instructions[v]!;
    if (same(v)) continue;
    if (i.op === "lookup" && facts.narrow[v] && facts.patterns[i.a]) scalars.add(i.a);
    if ((i.op === "shiftLeft" || i.op === "shiftRight") && facts.same[i.b] && !facts.exact[i.b]) scalars.add(i.b);
  }
  return scalars;
}

/** Elements of a row without their factors, and how they are multiplied with x. */
function coreOf(code: MatrixCode, { terms }: Sums, lines: number, { fused, activations }: Arithmetic): RowSums | undefined {
  const core = terms.find((t) => t.core !== undefined)?.core;
  return core === undefined ? undefined : rowSumsOf(code, core, lines, code.span, fused, activations === "int8" && code.span >= UNIT);
}

/** Whether x, and what the elements of a row are without their factors, are multiplied as bytes. */
export const areProductsOfBytes = (code: MatrixCode, arithmetic: Arithmetic): boolean =>
  coreOf(code, sumsOf(code), 1, arithmetic)?.multiplied === "bytes";

/**
 * Writes the module of y = x·Wᵀ for `lines` lines of x, f32, and a packed W, which is decoded in registers: `run(args, first item, item behind the last)`; an
 * item is `ROWS_OF_ITEM` rows of W. What is the same over a block of a row is taken out of the sum over it.
 *
 * What belongs to rows lies in scratch memory, a row a lane: rows run by a loop, so that what is compiled at once fits into registers.
 */
export function emitDot(loop: Loop, lines: number, arithmetic: Arithmetic): Uint8Array<ArrayBuffer> {
  const relaxed = arithmetic.fused;
  const w = new WasmLanes(3);
  const { lanes } = w;
  const code = new MatrixCode(w, loop, relaxed);
  const { span } = code;
  const { instructions } = loop.program;
  const sums = sumsOf(code);
  const { block, terms, same, scalars: firsts } = sums;
  const core = terms.find((t) => t.core !== undefined);
  const cores = core ? [core.core!] : [];
  const factors = terms.flatMap((t) => t.factors);
  const scalar = (v: number): boolean => loop.analysis.scalar[v]!;
  const isConstant = (v: number): boolean => instructions[v]!.op === "const";
  const streams = streamsOf(code, [...cores, ...factors], scalar);
  const streamOf = (table: number, index: number): Stream | undefined => streams.find((s) => s.table === table && s.ahead.has(index));
  const nameOf = ({ table, base }: Stream): string => `entry ${table} ${base}`;
  const scalars = [...firsts].filter((v) => !streams.some(({ ahead }) => ahead.has(v)));
  /** What is the same over a block, of what the elements are computed from. */
  const shared = closure(loop.program, cores, (v) => same(v) || firsts.has(v)).filter((v) => same(v) && !isConstant(v));
  const moving = code.usedBy([code.value], () => false).filter((k) => loop.operands[k]!.inner !== "fixed");
  const isDone = (v: number): boolean => same(v) || firsts.has(v) || code.facts(span).exact[v] !== undefined;
  /** Operands that elements are read from without a table. */
  const ofElements = closure(loop.program, cores, isDone).flatMap((v) => {
    const i = instructions[v]!;
    return !isDone(v) && (i.op === "load" || i.op === "index") ? [code.operandOf(i)] : [];
  });
  const each = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
  const [size, column, number, scratch] = each(4, () => code.i32()) as [Local, Local, Local, Local];

  w.code.raw(GLOBAL_GET, 0);
  w.set(scratch);
  const rows = new RowWords(code, scratch, lines);
  const ofCore = coreOf(code, sums, lines, arithmetic);
  const scaled = (term: Term, by: number): Scaled => ({ factors: term.factors, by: term.negative ? -by : by });
  const constants = terms.filter((t) => t.core === undefined).map((t) => scaled(t, 1));
  if (ofCore && ofCore.offset !== 0) constants.push(scaled(core!, ofCore.offset));
  const x = new Lines(code, {
    lines,
    multiplied: ofCore?.multiplied ?? "floats",
    block: constants.length > 0 ? block : undefined,
    span,
    scratch,
    from: rows.bytes,
  });
  const shifts = each(constants.length > 0 ? lines : 0, () => w.local(V128));
  const length = block || span;
  const unit = ofCore ? unitOf(ofCore, length) : length;
  const units = span / unit;

  /** The factors of a term, a row a lane. */
  const product = ({ factors: all, by }: Scaled, at: AcrossRows): Local => {
    const [one, ...more] = all.map((v) => at.lane(v));
    if (one === undefined) return lanes.f32(by);
    const whole = more.reduce((a, b) => lanes.mul(a, b), one);
    return by === 1 ? whole : lanes.mul(whole, lanes.f32(by));
  };
  const factorOfCore = (at: AcrossRows): Local => {
    const whole = product(scaled(core!, 1), at);
    return ofCore!.scale === undefined ? whole : lanes.mul(whole, ofCore!.scale);
  };
  /** Terms without elements, of a block. */
  const shift = (at: AcrossRows, b: number): void =>
    constants.forEach((term) => {
      const by = product(term, at);
      shifts.forEach((to, line) => code.addProduct(to, by, x.sum(line, b)));
    });
  /** A word of each row, read once for a span. */
  const words = new Map<string, Local[]>();
  const addresses = (name: string): Local[] => {
    const known = words.get(name) ?? each(ROWS_OF_ITEM, (r) => rows.word(name, r));
    words.set(name, known);
    return known;
  };
  const across = (at: number, known: (v: number) => Local | undefined, running: boolean): AcrossRows =>
    new AcrossRows(code, at, span, {
      pointer: (k) => rows.all(`pointer ${k}`),
      known,
      entries(table, index) {
        const stream = running ? streamOf(table, index) : undefined;
        return stream && { at: addresses(nameOf(stream)), ahead: stream.ahead.get(index)! };
      },
    });

  /** Elements of all rows without a loop. */
  const wholeSpan = (known: (v: number) => Local | undefined): void => {
    words.clear();
    const blocks = each(span / length, (b) => across(b * length, known, true));
    scalars.forEach((v) => rows.keep(`first ${v}`, blocks[0]!.lane(v)));
    blocks.forEach((at, b) => {
      shared.forEach((v) => rows.keep(`shared ${b} ${v}`, at.lane(v)));
      if (block === 0) return;
      shift(at, b);
      if (!ofCore) return;
      const factor = factorOfCore(at);
      for (let u = (b * length) / unit; u < ((b + 1) * length) / unit; u++) {
        if (ofCore.multiplied === "floats") rows.keep(`factor ${u}`, factor);
        else each(lines, (line) => rows.keep(`factor ${u} ${line}`, lanes.mul(factor, x.scale(line, Math.floor((u * unit) / UNIT)))));
      }
    });
    if (!ofCore) return nextEntries();
    touch();
    rows.each(() => spanOfRow(ofCore));
    nextEntries();
  };
  /** Reads a byte of each row by an instruction of its own: what fetches memory ahead follows instructions, and that of the loop jumps from row to row. */
  const touch = (): void => {
    const tables = closure(loop.program, cores, isDone).flatMap((v) => {
      const i = instructions[v]!;
      const stream = i.op === "lookup" && !same(v) ? streamOf(i.input, i.a) : undefined;
      return stream ? [nameOf(stream)] : [];
    });
    const pointers = ofElements.filter((k) => !code.isCounter(k)).map((k) => `pointer ${k}`);
    for (const name of new Set([...pointers, ...tables])) {
      for (const at of addresses(name)) {
        w.get(at).code.raw(I32_LOAD_BYTE, 0, 0);
        w.set(code.i32());
      }
    }
  };
  const nextEntries = (): void => {
    for (const stream of streams) rows.keep(nameOf(stream), lanes.iadd(rows.all(nameOf(stream)), lanes.i32(stream.step)));
  };
  const spanOfRow = (sums: RowSums): void => {
    const known = new Map<string, Local>();
    const numbers = new Map(scalars.map((v) => [v, rows.wordOfThis(`first ${v}`)]));
    const entries = new Map<Stream, Local>();
    const at = new Neighbours(code, code.facts(span), {
      pointers: rowPointers(ofElements),
      planes: code.planes,
      known(v, part) {
        if (!shared.includes(v)) return undefined;
        const name = `shared ${Math.floor((part * 16) / length)} ${v}`;
        if (!known.has(name)) known.set(name, rows.splat(name));
        return known.get(name);
      },
      first: (v) => numbers.get(v),
      entry(table, index) {
        const stream = streamOf(table, index);
        if (!stream) return undefined;
        const at = entries.get(stream) ?? rows.wordOfThis(nameOf(stream));
        entries.set(stream, at);
        return { at, ahead: stream.ahead.get(index)! };
      },
    });
    const kind = block === 0 ? "waiting" : "total";
    let totals = each(lines, (line) => rows.sum(kind, line));
    for (let u = 0; u < units; u++) {
      if (block === 0 && sums.multiplied === "floats") {
        totals = sums.sums(at, x, u * unit, unit, totals);
        continue;
      }
      const values = sums.sums(at, x, u * unit, unit);
      const one = sums.multiplied === "floats" ? rows.splat(`factor ${u}`) : undefined;
      values.forEach((value, line) => {
        const ofUnit = block === 0 ? x.scale(line, Math.floor((u * unit) / UNIT)) : (one ?? rows.splat(`factor ${u} ${line}`));
        code.addProduct(totals[line]!, ofUnit, value);
      });
    }
    totals.forEach((t, line) => rows.setSum(kind, line, t));
  };
  const rowPointers = (read: readonly number[]): Place["pointers"] =>
    code.pointersOfTables.map((table, k) => (read.includes(k) ? rows.wordOfThis(`pointer ${k}`) : table));
  /** What is left of the rows, value by value. */
  const rest = (count: number): void =>
    rows.each(() => {
      const at = new Neighbours(code, code.facts(count), {
        pointers: rowPointers(code.moving),
        planes: code.planes,
        known: () => undefined,
      });
      const value = at.lane(code.value, 0);
      for (let line = 0; line < lines; line++) {
        const sum = rows.sum("total", line);
        code.addProduct(sum, value, count === 1 ? x.single(line) : x.floats(line, 0));
        rows.setSum("total", line, sum);
      }
    });
  const whileLeft = (count: number, body: () => void): void =>
    code.repeat(() => {
      w.get(size).i32Const(count);
      code.leaveIf(LESS);
      w.scoped(() => {
        body();
        for (const k of moving) {
          w.get(code.stride[k]!).i32Const(count);
          code.op(MUL);
          rows.keep(`pointer ${k}`, lanes.iadd(w.simd(0x11).keep(), rows.all(`pointer ${k}`)));
        }
        x.advance(count, count === span);
        w.get(size).i32Const(count);
        code.op(SUB);
        w.set(size);
      });
    });
  /** Sets out for the rows of an item. */
  const start = (): void => {
    const pointers = code.newPointers();
    w.get(ITEM).i32Const(ROWS_OF_ITEM);
    code.op(MUL);
    w.set(number);
    rows.each(() => {
      // Behind the last row it once more, with the same result.
      w.get(number);
      code.dotWord("rows");
      w.i32Const(1);
      code.op(SUB);
      w.get(number);
      code.dotWord("rows").op(LESS).op(SELECT);
      // less ? number : rows - 1
      const clamped = w.set(code.i32());
      rows.setWordOfThis("number", clamped);
      w.get(clamped);
      code.dotWord("columns").op(MUL);
      code.seek(pointers, column);
      code.moving.forEach((k) => rows.setWordOfThis(`pointer ${k}`, pointers[k]!));
      each(lines, (line) => (["total", "waiting"] as const).forEach((kind) => rows.setSum(kind, line, lanes.f32(0))));
      code.addTo(number, () => void w.i32Const(1));
    });
    shifts.forEach((to) => w.get(lanes.f32(0)).set(to));
    x.rewind();
  };
  const wholeSpans = (): void => {
    const ofRows = across(0, () => undefined, false);
    const alike = closure(loop.program, [...cores, ...factors], scalar).filter((v) => scalar(v) && !isConstant(v));
    for (const v of alike) rows.keep(`row ${v}`, ofRows.lane(v));
    for (const stream of streams) {
      const at = lanes.imul(ofRows.lane(stream.base), lanes.i32(code.unit(stream.table)));
      rows.keep(nameOf(stream), lanes.iadd(at, w.get(code.pointersOfTables[stream.table]!).simd(0x11).keep()));
    }
    const known = (v: number): Local | undefined => (alike.includes(v) ? rows.all(`row ${v}`) : undefined);
    whileLeft(span, () => wholeSpan(known));
    if (block > 0) return;
    const end = across(0, known, false);
    shift(end, 0);
    if (!ofCore) return;
    rows.keep("factor", factorOfCore(end));
    rows.each(() => {
      const factor = rows.splat("factor");
      each(lines, (line) => rows.setSum("total", line, lanes.mul(factor, rows.sum("waiting", line))));
    });
  };
  const store = (): void => {
    const numbers = rows.all("number");
    for (let line = 0; line < lines; line++) {
      const sums = rows.sumsOfAll("total", line);
      const all = shifts.length > 0 ? lanes.add(sums, shifts[line]!) : sums;
      for (let r = 0; r < ROWS_OF_ITEM; r++) {
        code.dotWord("y");
        code.dotWord("yLine");
        w.i32Const(line);
        code.op(MUL).op(ADD);
        w.get(numbers).simd(0x1b, r).i32Const(4);
        code.op(MUL).op(ADD);
        w.get(all).simd(0x1f, r).code.raw(F32_STORE, 2, 0);
      }
    }
  };

  x.prepare();
  code.repeat(() => {
    w.get(ITEM).get(END);
    code.leaveIf(NOT_LESS);
    start();
    code.dotWord("columns");
    w.set(size);
    w.scoped(wholeSpans);
    whileLeft(4, () => rest(4));
    whileLeft(1, () => rest(1));
    w.scoped(store);
    code.addTo(ITEM, () => void w.i32Const(1));
  });
  return w.module();
}
