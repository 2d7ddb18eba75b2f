import {
  bytesPerElement,
  CapabilityError,
  contiguousStrides,
  type Instruction,
  isContiguous,
  type Operand,
  type Program,
  sizeOf,
  type Step,
} from "@weft/tensor-core";
import { addProgram, tablesOf, withOperands } from "@weft/tensor-core/program";
import type { LowerContext } from "./kernel.js";

/** Bindings start at multiples of this on every device. */
const ALIGNMENT = 256;

/**
 * A step as steps whose buffers can be bound: what lies in a buffer larger than one binding is cut along its first axis until each
 * piece touches no more than a binding holds, and is bound as a window of its buffer.
 * @throws CapabilityError kind `binding-too-large` where that cannot be done
 */
export function splitStep(step: Step, context: LowerContext): Step[] {
  const operands = [...step.inputs, ...step.outputs];
  if (operands.every((o) => context.bytes(o.buffer) <= context.limits.maxBinding)) return [step];
  const windowed = withWindows(step, context);
  return windowed ? [windowed] : halve(step, context).flatMap((piece) => splitStep(piece, context));
}

type FusedStep = Extract<Step, { kind: "fused" }>;
type OtherStep = Exclude<Step, { kind: "fused" }>;

/** First byte that an operand touches and the one behind its last. */
function range({ shape, strides, offset, dtype }: Operand): [number, number] {
  const reach = (pick: (a: number, b: number) => number): number =>
    shape.reduce((sum, d, axis) => sum + pick(0, (d - 1) * strides[axis]!), offset);
  const width = bytesPerElement(dtype);
  return [reach(Math.min) * width, (reach(Math.max) + 1) * width];
}

function withWindows(step: Step, context: LowerContext): Step | undefined {
  const ranges = new Map<number, [number, number]>();
  for (const operand of [...step.inputs, ...step.outputs]) {
    if (context.bytes(operand.buffer) <= context.limits.maxBinding) continue;
    const [begin, end] = range(operand);
    const known = ranges.get(operand.buffer) ?? [begin, end];
    ranges.set(operand.buffer, [Math.min(known[0], begin), Math.max(known[1], end)]);
  }
  const windows = new Map<number, { readonly id: number; readonly begin: number }>();
  for (const [buffer, [first, end]] of ranges) {
    const begin = first - (first % ALIGNMENT);
    if (end - begin > context.limits.maxBinding) return undefined;
    windows.set(buffer, { id: context.window(buffer, begin, end - begin), begin });
  }
  const moved = (o: Operand): Operand => {
    const window = windows.get(o.buffer);
    return window ? { ...o, buffer: window.id, offset: o.offset - window.begin / bytesPerElement(o.dtype) } : o;
  };
  return { ...step, inputs: step.inputs.map(moved), outputs: step.outputs.map(moved) };
}

function slice(o: Operand, axis: number, start: number, length: number): Operand {
  return { ...o, shape: o.shape.map((d, i) => (i === axis ? length : d)), offset: o.offset + start * o.strides[axis]! };
}

function halve(step: Step, context: LowerContext): Step[] {
  if (step.kind === "fused") {
    const pieces = halveFused(step);
    if (pieces) return pieces;
  } else if (step.op === "matmul") {
    const pieces = halveMatmul(step, context);
    if (pieces) return pieces;
  } else if (step.op === "reduce") {
    const pieces = halveColumnSum(step, context);
    if (pieces) return pieces;
  } else if (step.op === "gather" && step.attrs.axis === 0) {
    const pieces = halveGather(step, context);
    if (pieces) return pieces;
  }
  const name = step.kind === "fused" ? "a fused program" : `"${step.op}"`;
  const largest = Math.max(...[...step.inputs, ...step.outputs].map((o) => context.bytes(o.buffer)));
  throw new CapabilityError(`${name} uses a tensor of ${largest} bytes, a kernel can bind ${context.limits.maxBinding} on this GPU`, {
    kind: "binding-too-large",
    hint: "split the tensor by rows",
  });
}

type Part = readonly [start: number, length: number];
const halves = (d: number): Part[] => [
  [0, d >> 1],
  [d >> 1, d - (d >> 1)],
];

function halveFused(step: FusedStep): Step[] | undefined {
  const { program } = step;
  const lead = program.shape.length - program.reduced;
  const axis = program.shape.findIndex((d, i) => i < lead && d > 1);
  if (axis < 0) return undefined;
  const tables = tablesOf(program);
  return halves(program.shape[axis]!).map(([start, length]): Step => {
    const shape = program.shape.map((d, i) => (i === axis ? length : d));
    const outputs = step.outputs.map((o, k): Operand => {
      const behind = program.outputs[k]!.perRow ? shape.slice(axis + 1, lead) : shape.slice(axis + 1);
      const size = length * sizeOf(behind);
      return { ...o, shape: [size], strides: [1], offset: o.offset + start * sizeOf(behind) };
    });
    return {
      ...step,
      program: shifted({ ...program, shape }, axis, start),
      inputs: step.inputs.map((o, k) => (tables.has(k) ? o : slice(o, axis, start, length))),
      outputs,
    };
  });
}

/** The program for a part of the space that begins at `start`: indices along `axis` go on from there. */
function shifted(program: Program, axis: number, start: number): Program {
  if (start === 0 || !program.instructions.some((i) => i.op === "index" && i.axis === axis)) return program;
  const instructions: Instruction[] = [];
  const at: number[] = [];
  for (const i of program.instructions) {
    const moved = withOperands(i, (x) => at[x]!);
    let value = instructions.push(moved) - 1;
    if (i.op === "index" && i.axis === axis) {
      const by = instructions.push({ op: "const", dtype: "i32", value: start }) - 1;
      value = instructions.push({ op: "add", dtype: "i32", a: value, b: by }) - 1;
    }
    at.push(value);
  }
  return { ...program, instructions, outputs: program.outputs.map((o) => ({ ...o, value: at[o.value]! })) };
}

/** Cut where it makes the largest operand smaller: along the batch, the outer index of a factor, or the inner dimension, whose parts are added up. */
function halveMatmul(step: OtherStep, context: LowerContext): Step[] | undefined {
  const [a, b] = [step.inputs[0]!, step.inputs[1]!];
  const y = step.outputs[0]!;
  const rank = a.shape.length;
  const [row, column] = [rank - 2, rank - 1];
  const batch = y.shape.findIndex((d, i) => i < row && d > 1);
  const touches = (o: Operand): number => (context.bytes(o.buffer) <= context.limits.maxBinding ? 0 : range(o)[1] - range(o)[0]);
  const outer = (o: Operand, axis: number, inner: number): boolean =>
    o.shape[axis]! > 1 && Math.abs(o.strides[axis]!) >= Math.abs(o.strides[inner]!);
  if (batch >= 0)
    return halves(y.shape[batch]!).map((part) => ({
      ...step,
      inputs: [slice(a, batch, ...part), slice(b, batch, ...part)],
      outputs: [slice(y, batch, ...part)],
    }));
  const byRows = (): Step[] =>
    halves(y.shape[row]!).map((part) => ({ ...step, inputs: [slice(a, row, ...part), b], outputs: [slice(y, row, ...part)] }));
  const byColumns = (): Step[] =>
    halves(y.shape[column]!).map((part) => ({ ...step, inputs: [a, slice(b, column, ...part)], outputs: [slice(y, column, ...part)] }));
  const largest = Math.max(touches(a), touches(b), touches(y));
  if (touches(y) === largest) return y.shape[row]! > 1 ? byRows() : y.shape[column]! > 1 ? byColumns() : undefined;
  if (touches(a) === largest && outer(a, row, column)) return byRows();
  if (touches(b) === largest && outer(b, column, row)) return byColumns();
  const depth = a.shape[column]!;
  if (depth < 2 || !isContiguous(y.shape, y.strides)) return undefined;
  return addedUp(
    step,
    halves(depth).map((part) => [slice(a, column, ...part), slice(b, row, ...part)]),
    context,
  );
}

/** A sum over rows in parts of the rows. */
function halveColumnSum(step: OtherStep, context: LowerContext): Step[] | undefined {
  const x = step.inputs[0]!;
  if (x.shape[0]! < 2) return undefined;
  return addedUp(
    step,
    halves(x.shape[0]!).map((part) => [slice(x, 0, ...part)]),
    context,
  );
}

/** A step for each of two parts of its inputs, and the sum of what they give. */
function addedUp(step: OtherStep, parts: readonly (readonly Operand[])[], context: LowerContext): Step[] {
  const [y] = step.outputs as [Operand];
  const sums = parts.map(() => context.temporary(y.shape, "f32"));
  return [
    ...parts.map((inputs, i): Step => ({ ...step, inputs, outputs: [sums[i]!] })),
    { kind: "fused", program: addProgram(y.shape, "f32"), inputs: sums, outputs: [y] },
  ];
}

/** A large table is read part by part (each part leaves alone what it does not hold); many indices are taken part by part. */
function halveGather(step: OtherStep, context: LowerContext): Step[] | undefined {
  const [x, index] = [step.inputs[0]!, step.inputs[1]!];
  const y = step.outputs[0]!;
  const large = context.bytes(x.buffer) > context.limits.maxBinding && range(x)[1] - range(x)[0] > context.limits.maxBinding - ALIGNMENT;
  const row = sizeOf(x.shape.slice(1));
  if (large && x.shape[0]! > 1) {
    const first = (step.attrs.first as number | undefined) ?? 0;
    return halves(x.shape[0]!).map(([start, length]) => ({
      ...step,
      attrs: { ...step.attrs, first: first + start, keep: step.attrs.keep === true || start > 0 },
      inputs: [slice(x, 0, start, length), index],
    }));
  }
  const picks = sizeOf(index.shape);
  if (picks < 2) return undefined;
  return halves(picks).map(([start, length]) => {
    const shape = [length, ...x.shape.slice(1)];
    return {
      ...step,
      inputs: [x, { ...index, shape: [length], strides: [1], offset: index.offset + start }],
      outputs: [{ ...y, shape, strides: contiguousStrides(shape), offset: y.offset + start * row }],
    };
  });
}
