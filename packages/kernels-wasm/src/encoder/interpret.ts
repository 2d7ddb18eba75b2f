import { bytesPerElement, type Instruction, isFloat } from "@weft/tensor-core";
import { combination, compute, decode, encode, identity, type Pass, type Reduce, SCALAR_LANES } from "@weft/tensor-core/program";
import type { Loop } from "./loop.js";
import { indexAxes, operandWord } from "./operand-words.js";
import { isWide } from "./reduction.js";
import { type Vector, vector, VECTOR_LANES } from "./vector-lanes.js";

/**
 * Runs rows of a loop in JavaScript with the very bits of the emitted module: the same formulas, sums in the same
 * order. For places where WebAssembly may not be compiled at run time; also the emitter's oracle.
 * @param args the argument block
 */
export function interpretLoop(loop: Loop, memory: ArrayBufferLike, args: Int32Array, first: number, end: number): void {
  const { program, analysis, operands, rowSizes, sweepSizes } = loop;
  const { instructions, outputs } = program;
  const dtypes = instructions.map((i) => i.dtype);
  const view = new DataView(memory);
  const inputs = operands.length - outputs.length - indexAxes(program).length;
  const operandOf = (i: Instruction): number =>
    i.op === "load" ? i.input : inputs + indexAxes(program).indexOf((i as { axis: number }).axis);
  const values: Vector[] = [];

  const offsets = (
    position: number,
    sizes: readonly number[],
    strides: (k: number) => readonly number[],
    base: readonly number[],
  ): number[] => {
    const index = sizes.map(() => 0);
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      index[axis] = axis > 0 ? position % sizes[axis]! : position;
      position = Math.floor(position / sizes[axis]!);
    }
    return base.map((b, k) => b + index.reduce((sum, i, axis) => sum + i * strides(k)[axis]!, 0));
  };

  const read = (v: number, n: number, pointers: readonly number[], row = pointers): Vector => {
    const i = instructions[v]!;
    if (i.op === "load" || i.op === "index") {
      const k = operandOf(i);
      const { dtype, innerStride } = operands[k]!;
      const raw = vector(innerStride === 0 ? 1 : n);
      for (let e = 0; e < raw.i.length; e++)
        raw.i[e] = i.op === "index" ? pointers[k]! + e * innerStride : getBits(view, dtype, pointers[k]! + e * innerStride);
      return i.op === "index" ? raw : decode(VECTOR_LANES, raw, dtype);
    }
    if (i.op === "lookup") {
      const { dtype, innerStride } = operands[i.input]!;
      const index = values[i.a]!.i;
      const raw = vector(index.length);
      index.forEach((at, e) => (raw.i[e] = getBits(view, dtype, row[i.input]! + at * innerStride)));
      return decode(VECTOR_LANES, raw, dtype);
    }
    return i.op === "reduce"
      ? values[v]!
      : compute(
          VECTOR_LANES,
          i,
          (a) => values[a]!,
          (a) => instructions[a]!.dtype,
        );
  };

  const write = (o: number, n: number, pointers: readonly number[]): void => {
    const k = operands.length - outputs.length + o;
    const { dtype, innerStride } = operands[k]!;
    const { value } = outputs[o]!;
    const bits = encode(VECTOR_LANES, values[value]!, dtypes[value]!, dtype).i;
    for (let e = 0; e < n; e++) setBits(view, dtype, pointers[k]! + e * innerStride, bits[bits.length === 1 ? 0 : e]!);
  };

  const sweep = (pass: Pass, row: readonly number[], size: number): void => {
    for (const v of pass.perRow) values[v] = read(v, 1, row);
    const lanes = new Map(pass.reduces.map((r) => [r, startLanes(instructions[r] as Reduce)]));
    for (let q = 0; q < args[2]!; q++) {
      const pointers = offsets(q, sweepSizes, (k) => operands[k]!.sweepStrides, row);
      for (const v of pass.perElement) values[v] = read(v, size, pointers, row);
      for (const r of pass.reduces) addLanes(instructions[r] as Reduce, lanes.get(r)!, values[(instructions[r] as Reduce).a]!, size);
      for (const o of pass.stores) write(o, size, pointers);
    }
    for (const r of pass.reduces) values[r] = joinLanes(instructions[r] as Reduce, lanes.get(r)!);
  };

  for (let row = first; row < end; row++) {
    const base = operands.map((_, k) => (k >= inputs && k < operands.length - outputs.length ? 0 : args[operandWord(loop, k)]! >>> 0));
    const pointers = offsets(row, rowSizes, (k) => operands[k]!.rowStrides, base);
    const blockIndex = loop.block > 0 ? Math.floor(row / rowSizes.slice(1).reduce((a, b) => a * b, 1)) : 0;
    const size = loop.block > 0 ? Math.min(loop.block, loop.inner - blockIndex * loop.block) : loop.inner;
    for (const pass of analysis.passes) sweep(pass, pointers, size);
    for (const v of analysis.last) values[v] = read(v, 1, pointers);
    outputs.forEach((o, i) => {
      if (o.perRow) write(i, 1, pointers);
    });
  }
}

function getBits(view: DataView, dtype: Instruction["dtype"], at: number): number {
  const width = bytesPerElement(dtype);
  if (width === 4) return view.getInt32(at, true);
  if (width === 2) return view.getUint16(at, true);
  return dtype === "i8" ? view.getInt8(at) : view.getUint8(at);
}

function setBits(view: DataView, dtype: Instruction["dtype"], at: number, bits: number): void {
  const width = bytesPerElement(dtype);
  if (width === 4) view.setInt32(at, bits, true);
  else if (width === 2) view.setUint16(at, bits, true);
  else view.setUint8(at, bits);
}

function startLanes({ how, dtype }: Reduce): Float64Array {
  return new Float64Array(4).fill(identity(how, dtype));
}

function stepOf({ how, dtype }: Reduce): (a: number, b: number) => number {
  const step = combination(how, dtype);
  if (isWide(step)) return step === "add" ? (a, b) => a + b : (a, b) => a * b;
  return SCALAR_LANES[step] as (a: number, b: number) => number;
}

/** Four elements at a time into four lanes; what is left over into the first, as the emitted code does. */
function addLanes(r: Reduce, lanes: Float64Array, value: Vector, size: number): void {
  const x = isFloat(r.dtype) ? value.f : value.i;
  const step = stepOf(r);
  for (let e = 0; e < size; e++) {
    const lane = e < (size & ~3) ? e & 3 : 0;
    lanes[lane] = step(lanes[lane]!, x[x.length === 1 ? 0 : e]!);
  }
}

function joinLanes(r: Reduce, [a, b, c, d]: Float64Array): Vector {
  const step = stepOf(r);
  const out = vector(1);
  const total = step(step(a!, c!), step(b!, d!));
  if (isFloat(r.dtype)) out.f[0] = total;
  else out.i[0] = total;
  return out;
}
