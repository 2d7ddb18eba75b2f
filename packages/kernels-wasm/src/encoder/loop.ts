import { bytesPerElement, contiguousStrides, type DType, exactJson, type Program } from "@weft/tensor-core";
import { analyse, type Analysis, collapse, tablesOf } from "@weft/tensor-core/program";
import { indexAxes } from "./operand-words.js";

/** Strides of one operand over the space of a program, in elements. */
export interface Access {
  readonly dtype: DType;
  readonly strides: readonly number[];
  /** Of a table. */
  readonly shape?: readonly number[];
}

/** How an operand moves along the innermost axis, or, of a table, along itself. */
export type Inner = "fixed" | "contiguous" | "strided";

export interface LoopOperand {
  readonly dtype: DType;
  readonly inner: Inner;
  /** One value per row. */
  readonly uniform: boolean;
  /** A table with an entry for every number of four bits. */
  readonly sixteen: boolean;
  readonly rowStrides: readonly number[];
  readonly sweepStrides: readonly number[];
  readonly innerStride: number;
}

/**
 * A program as loops: rows (shared out among threads) × positions of a sweep × elements along the innermost axis.
 * Operands: the inputs, then one for each axis that `index` reads (its "address" is the index), then the outputs.
 */
export interface Loop {
  readonly program: Program;
  readonly analysis: Analysis;
  readonly rows: number;
  readonly rowSizes: readonly number[];
  readonly sweepSizes: readonly number[];
  readonly inner: number;
  /** If not 0, the first row axis counts blocks of so many elements (a multiple of four) of the innermost axis. */
  readonly block: number;
  readonly operands: readonly LoopOperand[];
  /** Equal keys give equal code; sizes and strides are arguments. */
  readonly key: string;
}

/** Scratch memory of each thread. */
const SCRATCH_BYTES: number = 256 << 10;
/** Elements per row of a space that is one long line: enough to hide the cost of a row, few enough to share out. */
const LINE = 4096;
/** Elements per row when something is read across its grain (a transpose): its cache lines stay until the next rows use them. */
const ACROSS = 32;

interface Axis {
  readonly size: number;
  readonly strides: readonly number[];
}

/** The axes of a part of a space with the strides of all operands in it, as few as there can be. */
function axesOf(shape: readonly number[], strides: readonly (readonly number[])[]): Axis[] {
  const space = collapse(shape, strides);
  return space.shape.map((size, axis) => ({ size, strides: space.strides.map((s) => s[axis]!) }));
}

/** Where outputs lie that are stored as fused steps store them: contiguous over the space, or over the rows. */
export function contiguousOutputs(program: Program, dtypes: readonly DType[]): Access[] {
  const rank = program.shape.length - program.reduced;
  return program.outputs.map(({ perRow }, i) => {
    const lead = perRow ? contiguousStrides(program.shape.slice(0, rank)) : contiguousStrides(program.shape);
    return { dtype: dtypes[i]!, strides: [...lead, ...new Array<number>(program.shape.length - lead.length).fill(0)] };
  });
}

/**
 * Plans the loops of a program over operands with the given strides.
 * @param lines of a matrix, without reductions: rows are not cut into blocks
 */
export function planLoop(program: Program, inputs: readonly Access[], outputs: readonly Access[], lines = false): Loop {
  const { shape, reduced } = program;
  const counters = indexAxes(program).map((axis): Access => ({ dtype: "i32", strides: shape.map((_, i) => (i === axis ? 1 : 0)) }));
  const tables = tablesOf(program);
  const still = shape.map(() => 0);
  const all = [...inputs.map((o, k) => (tables.has(k) ? { dtype: o.dtype, strides: still } : o)), ...counters, ...outputs];
  const unit = all.map((o, k) => (k >= inputs.length && k < inputs.length + counters.length ? 1 : bytesPerElement(o.dtype)));
  const strides = all.map((o, k) => o.strides.map((s) => s * unit[k]!));
  const split = shape.length - reduced;
  const part = (from: number, to?: number): Axis[] =>
    axesOf(
      shape.slice(from, to),
      strides.map((s) => s.slice(from, to)),
    );
  let rowAxes = part(0, split);
  const sweep = part(split);
  const last = (reduced > 0 ? sweep : rowAxes).pop() ?? { size: 1, strides: all.map(() => 0) };

  const across = last.strides.some((s, k) => s !== 0 && s !== unit[k] && rowAxes.some((a) => Math.abs(a.strides[k]!) === unit[k]));
  let block = 0;
  if (!lines && reduced === 0 && (rowAxes.length === 0 || across)) {
    block = across ? ACROSS : Math.max(256, Math.min(LINE, Math.ceil(last.size / 256) * 4));
    rowAxes = [{ size: Math.ceil(last.size / block), strides: last.strides.map((s) => s * block) }, ...rowAxes];
  }

  const operands = all.map(({ dtype }, k): LoopOperand => {
    const innerStride = tables.has(k) ? inputs[k]!.strides[0]! * unit[k]! : last.strides[k]!;
    const sweepStrides = sweep.map((a) => a.strides[k]!);
    const inner: Inner = innerStride === 0 ? "fixed" : innerStride === unit[k] ? "contiguous" : "strided";
    return {
      dtype,
      inner,
      uniform: inner === "fixed" && sweepStrides.every((s) => s === 0),
      sixteen: tables.has(k) && (inputs[k]!.shape?.[0] ?? 0) >= 16,
      rowStrides: rowAxes.map((a) => a.strides[k]!),
      sweepStrides,
      innerStride,
    };
  });
  const uniformAt = (k: number): boolean => operands[k]!.uniform;
  const counterOf = indexAxes(program);
  const analysed = (keep: boolean): Analysis =>
    analyse(
      program,
      (i) => (i.op === "load" ? uniformAt(i.input) : i.op === "index" && uniformAt(inputs.length + counterOf.indexOf(i.axis))),
      keep,
    );
  let analysis = analysed(sweep.length === 0);
  if (analysis.kept.length * slotBytes(last.size) > SCRATCH_BYTES) analysis = analysed(false);

  const form = operands.map((o) => [o.dtype, o.inner, o.uniform, o.sixteen]);
  const key = exactJson([program.instructions, program.outputs, form, rowAxes.length, sweep.length, block > 0, analysis.kept]);
  return {
    program,
    analysis,
    rows: rowAxes.reduce((n, a) => n * a.size, 1),
    rowSizes: rowAxes.map((a) => a.size),
    sweepSizes: sweep.map((a) => a.size),
    inner: last.size,
    block,
    operands,
    key,
  };
}

/** Scratch bytes that one kept value takes: 16 for four elements, and 16 for each of a ragged end. */
function slotBytes(inner: number): number {
  return (inner >> 2) * 16 + (inner & 3) * 16;
}

/** The argument block, addresses (first word of each operand) left 0. Words 0–3: inner size, block, positions per sweep, slot bytes. */
export function loopArguments(loop: Loop): Int32Array {
  const words = [
    loop.inner,
    loop.block,
    loop.sweepSizes.reduce((a, b) => a * b, 1),
    slotBytes(loop.inner),
    ...loop.rowSizes,
    ...loop.sweepSizes,
  ];
  for (const o of loop.operands) words.push(0, ...o.rowStrides, ...o.sweepStrides, o.innerStride);
  return Int32Array.from(words);
}
