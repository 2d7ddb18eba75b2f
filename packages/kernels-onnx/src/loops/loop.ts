import type { DType, Plan } from "@weft/tensor-core";
import { compute, decode, encode } from "@weft/tensor-core/program";
import { constant, counting } from "./affine.js";
import { NoLoop, Printer, type Register } from "./printer.js";
import { makersOf, type Slice, sliceOf } from "./slice.js";

/** Elements that one turn of a loop computes, where what is known of their places spares work. */
const UNROLLED = 32;

/** The array of JavaScript that stored elements lie in. */
const ARRAYS: Readonly<Record<DType, string>> = {
  f32: "Float32Array",
  f16: "Uint16Array",
  bf16: "Uint16Array",
  f8e4m3: "Uint8Array",
  f8e5m2: "Uint8Array",
  i32: "Int32Array",
  i8: "Int8Array",
  u8: "Uint8Array",
  bool: "Uint8Array",
};

/** A loop over the elements of one buffer: the body of a function of how often the outermost loop turns, what it writes, and what it reads, as arrays of these names. */
export interface LoopSource {
  /** Of this body and no other. */
  readonly id: number;
  readonly turns: number;
  readonly parameters: readonly string[];
  readonly body: string;
  readonly arrays: readonly string[];
}

/** A loop for one buffer of a plan. */
export interface Loop {
  readonly slice: Slice;
  /** The buffers that it reads, by the numbers that the slice has for them. */
  readonly reads: readonly number[];
}

/** A loop as it is written, and which of the memory of its slice it reads. */
type Written = LoopSource & { readonly ports: readonly number[] };

/** Loops by what they compute: layers of a model are made alike, and plans over them. */
const written = new Map<string, Written>();
const sources = new WeakMap<Slice, Written>();
/** The number of each body: for weights of other heights it is the same. A body is slow until it has run for a while. */
const bodies = new Map<string, number>();

/** @throws NoLoop for what loops are not written for */
export function sourceOf(slice: Slice): Written {
  let source = sources.get(slice);
  if (source) return source;
  const key = JSON.stringify(slice);
  source = written.get(key);
  if (!source) {
    const loop = writeLoop(slice);
    const id = bodies.get(loop.body) ?? bodies.size;
    bodies.set(loop.body, id);
    written.set(key, (source = { id, ...loop }));
  }
  sources.set(slice, source);
  return source;
}

/** Element by element, which is the least code; several at once where that spares asking what they are of their block. */
function writeLoop(slice: Slice): Omit<Written, "id"> {
  const writer = new LoopWriter();
  const loop = writer.write(slice, 1);
  return writer.asks ? new LoopWriter().write(slice, UNROLLED) : loop;
}

/**
 * A plan of elementwise steps as a loop for each of its outputs, by their buffers: what is only made on the way is computed where it is read.
 * @returns undefined for a plan with other steps
 */
export function loopsOf(plan: Plan): ReadonlyMap<number, Loop> | undefined {
  const makers = makersOf(plan);
  if (!makers) return undefined;
  const loops = plan.outputs.map(({ buffer }) => {
    const reads: number[] = [];
    return [buffer, { slice: sliceOf(buffer, makers, reads), reads }] as const;
  });
  try {
    for (const [, { slice }] of loops) sourceOf(slice);
    return new Map(loops);
  } catch (error) {
    if (error instanceof NoLoop) return undefined;
    throw error;
  }
}

class LoopWriter {
  private readonly printer = new Printer();
  /** What is read: which memory, as which array. */
  private readonly reads: { readonly port: number; readonly array: string }[] = [];
  private readonly values = new Map<Slice, Map<string, Register>>();

  get asks(): boolean {
    return this.printer.asks;
  }

  write(slice: Slice, most: number): Omit<Written, "id"> {
    const { shape, instructions } = slice;
    const { printer } = this;
    const { lanes: l } = printer;
    const last = shape.length - 1;
    const length = shape[last] ?? 1;
    let turn = Math.min(length, most);
    while (length % turn !== 0) turn--;
    const counters = shape.map((d, axis) => ({ name: `i${axis}`, length: axis === last ? d / turn : d }));
    const inner: string[] = [];
    for (let k = 0; k < turn; k++) {
      const place = counters.map((counter, axis) => {
        const count = printer.whole(counter.length === 1 ? constant(0) : counting(counter));
        return axis === last ? l.iadd(l.imul(count, l.i32(turn)), l.i32(k)) : count;
      });
      const to = place.reduce((flat, p, axis) => l.iadd(l.imul(flat, l.i32(shape[axis]!)), p), l.i32(0));
      const { dtype } = instructions.at(-1)!;
      const stored = encode(l, this.value(slice, instructions.length - 1, place), dtype, dtype);
      inner.push(...printer.statements.splice(0), `o[${to.code}] = ${stored.code};`);
    }
    const loops = counters.filter((counter) => counter.length !== 1);
    const head = loops.map(({ name, length: n }, i) => `for (let ${name} = 0; ${name} < ${i === 0 ? "n" : n}; ${name}++) {`);
    return {
      turns: loops[0]?.length ?? 1,
      parameters: ["n", "o", ...this.reads.map((_, i) => `b${i}`)],
      body: [SCRATCH, ...head, ...inner, ...head.map(() => "}")].join("\n"),
      arrays: [ARRAYS[instructions.at(-1)!.dtype], ...this.reads.map(({ array }) => array)],
      ports: this.reads.map(({ port }) => port),
    };
  }

  /** The value of an instruction at a place of its slice. */
  private value(slice: Slice, at: number, place: readonly Register[]): Register {
    const known = this.values.get(slice) ?? new Map<string, Register>();
    this.values.set(slice, known);
    const key = `${at}@${place.map((p) => p.code)}`;
    const value = known.get(key) ?? this.compute(slice, at, place);
    known.set(key, value);
    return value;
  }

  private compute(slice: Slice, at: number, place: readonly Register[]): Register {
    const { instructions } = slice;
    const operand = (a: number): Register => this.value(slice, a, place);
    const i = instructions[at]!;
    if (i.op === "load") return this.element(slice.inputs[i.input]!, place);
    if (i.op === "lookup") return this.element(slice.inputs[i.input]!, [operand(i.a)]);
    if (i.op === "index") return place[i.axis]!;
    if (i.op === "reduce") throw new NoLoop(i.op);
    return compute(this.printer.lanes, i, operand, (a) => instructions[a]!.dtype);
  }

  private element({ from, dtype, strides, offset }: Slice["inputs"][number], place: readonly Register[]): Register {
    const { printer } = this;
    const { lanes: l } = printer;
    const flat = place.reduce((sum, p, axis) => l.iadd(sum, l.imul(p, l.i32(strides[axis]!))), l.i32(offset));
    if (typeof from === "number") return decode(l, { code: printer.name(`${this.read(from, ARRAYS[dtype])}[${flat.code}]`) }, dtype);
    const { shape, instructions } = from;
    let rest = flat;
    const there: Register[] = [];
    for (let axis = shape.length - 1; axis > 0; axis--) {
      const parts = printer.divide(rest, shape[axis]!);
      there[axis] = parts.rest;
      rest = parts.quotient;
    }
    if (shape.length > 0) there[0] = rest;
    return this.value(from, instructions.length - 1, there);
  }

  private read(port: number, array: string): string {
    let at = this.reads.findIndex((read) => read.port === port && read.array === array);
    if (at < 0) at = this.reads.push({ port, array }) - 1;
    return `b${at}`;
  }
}

/** To read the bits of one type as another. */
const SCRATCH = "const { fround } = Math; const f32 = new Float32Array(1); const i32 = new Int32Array(f32.buffer);";
