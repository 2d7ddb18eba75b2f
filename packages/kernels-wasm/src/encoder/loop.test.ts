import {
  bytesPerElement,
  contiguousStrides,
  type DType,
  DTYPES,
  type Instruction,
  type Program,
  runProgram,
  sizeOf,
} from "@weft/tensor-core";
import { firstDifference } from "@weft/tensor-core/testing";
import { describe, expect, it } from "vitest";
import { emitLoop } from "./emit.js";
import { interpretLoop } from "./interpret.js";
import { contiguousOutputs, loopArguments, planLoop } from "./loop.js";
import { operandWord } from "./operand-words.js";

const memory = new WebAssembly.Memory({ initial: 32, maximum: 65536, shared: true });
const SCRATCH = 1024;
const BASE = 300 << 10;

interface Case {
  readonly program: Program;
  readonly inputs: readonly {
    readonly bytes: Uint8Array;
    readonly dtype: DType;
    readonly strides: readonly number[];
    readonly offset: number;
  }[];
  readonly outputs: readonly DType[];
}

const aligned = (n: number): number => Math.ceil(n / 64) * 64;

/** Output bytes of the emitted module, of the interpreter and of the reference. */
function runAll({ program, inputs, outputs }: Case): { emitted: Uint8Array[]; interpreted: Uint8Array[]; expected: Uint8Array[] } {
  const lead = sizeOf(program.shape.slice(0, program.shape.length - program.reduced));
  const sizes = program.outputs.map((o, i) => (o.perRow ? lead : sizeOf(program.shape)) * bytesPerElement(outputs[i]!));
  const loop = planLoop(program, inputs, contiguousOutputs(program, outputs));
  const args = loopArguments(loop);
  let at = BASE;
  const addresses = [...inputs.map((i) => i.bytes.length), ...sizes].map((n) => (at = aligned(at + n)) - aligned(n));
  const first = loop.operands.length - outputs.length;
  inputs.forEach((input, k) => {
    new Uint8Array(memory.buffer, addresses[k]!, input.bytes.length).set(input.bytes);
    args[operandWord(loop, k)] = addresses[k]! + input.offset * bytesPerElement(input.dtype);
  });
  outputs.forEach((_, i) => (args[operandWord(loop, first + i)] = addresses[inputs.length + i]!));
  const argsAt = aligned(at + 64);
  new Int32Array(memory.buffer, argsAt, args.length).set(args);
  const read = (): Uint8Array[] =>
    sizes.map((n, i) => {
      const view = new Uint8Array(memory.buffer, addresses[inputs.length + i]!, n);
      const copy = Uint8Array.from(view);
      view.fill(0xa5);
      return copy;
    });
  read();
  const { run } = new WebAssembly.Instance(new WebAssembly.Module(emitLoop(loop)), { env: { memory, scratch: SCRATCH } })
    .exports as unknown as { run: (a: number, s: number, e: number) => void };
  const middle = loop.rows >> 1; // in two halves, as threads would
  run(argsAt, 0, middle);
  run(argsAt, middle, loop.rows);
  const emitted = read();
  interpretLoop(loop, memory.buffer, args, 0, loop.rows);
  const interpreted = read();
  const expected = sizes.map((n) => new Uint8Array(n));
  const host = [...inputs.map((i) => i.bytes), ...expected];
  const space = program.shape;
  runProgram(
    (id) => host[id]!,
    program,
    inputs.map((i, k) => ({ buffer: k, dtype: i.dtype, shape: space, strides: i.strides, offset: i.offset })),
    outputs.map((dtype, i) => {
      const shape = program.outputs[i]!.perRow ? space.slice(0, space.length - program.reduced) : space;
      return { buffer: inputs.length + i, dtype, shape, strides: contiguousStrides(shape), offset: 0 };
    }),
  );
  return { emitted, interpreted, expected };
}

let seed = 1;
const random = (): number => (seed = (seed * 48271) % 2147483647) / 2147483647;
const floats = (n: number, scale = 4): Uint8Array =>
  new Uint8Array(Float32Array.from({ length: n }, () => (random() * 2 - 1) * scale).buffer);
const input = (bytes: Uint8Array, dtype: DType, strides: readonly number[], offset = 0): Case["inputs"][number] => ({
  bytes,
  dtype,
  strides,
  offset,
});
const load = (at: number, dtype: DType = "f32"): Instruction => ({ op: "load", dtype, input: at });
const asFloats = (b: Uint8Array): Float32Array => new Float32Array(b.buffer, b.byteOffset, b.length / 4);

function expectClose(got: Uint8Array, want: Uint8Array, relative: number, absolute = relative): void {
  expect(firstDifference(asFloats(got), asFloats(want), { relative, absolute })).toBeUndefined();
}

describe("fused loops", () => {
  it.each([[[1]], [[3]], [[5]], [[65]], [[4096 * 3 + 7]], [[3, 5]], [[2, 3, 65]]])("elementwise chain over %j", (shape) => {
    const n = sizeOf(shape);
    const strides = contiguousStrides(shape);
    const program: Program = {
      shape,
      reduced: 0,
      instructions: [
        load(0),
        load(1),
        { op: "mul", dtype: "f32", a: 0, b: 1 },
        { op: "const", dtype: "f32", value: 0.5 },
        { op: "add", dtype: "f32", a: 2, b: 3 },
      ],
      outputs: [
        { value: 4, perRow: false },
        { value: 2, perRow: false },
      ],
    };
    const { emitted, interpreted, expected } = runAll({
      program,
      inputs: [input(floats(n), "f32", strides), input(floats(n), "f32", strides)],
      outputs: ["f32", "f32"],
    });
    expect(emitted).toEqual(expected);
    expect(interpreted).toEqual(expected);
  });

  it.each([
    ["transposed", [37, 41], [1, 37], 0],
    ["broadcast rows", [37, 41], [0, 1], 0],
    ["broadcast columns", [37, 41], [1, 0], 0],
    ["every second", [37, 41], [82, 2], 1],
    ["flipped", [37, 41], [-41, -1], 37 * 41 - 1],
    ["three axes", [5, 7, 9], [9, 45, 1], 0],
  ] as const)("copies a view: %s", (_, shape, strides, offset) => {
    for (const dtype of DTYPES) {
      const bytes = Uint8Array.from({ length: 37 * 41 * 2 * bytesPerElement(dtype) }, () =>
        dtype === "bool" ? (random() < 0.5 ? 0 : 1) : Math.floor(random() * 100),
      );
      const program: Program = { shape, reduced: 0, instructions: [load(0, dtype)], outputs: [{ value: 0, perRow: false }] };
      const { emitted, interpreted, expected } = runAll({ program, inputs: [input(bytes, dtype, strides, offset)], outputs: [dtype] });
      expect(emitted, dtype).toEqual(expected);
      expect(interpreted, dtype).toEqual(expected);
    }
  });

  it.each([1, 3, 4, 65, 1000])("softmax over rows of %i: one program, three sweeps", (n) => {
    const shape = [5, n];
    const instructions: Instruction[] = [
      load(0),
      { op: "reduce", dtype: "f32", how: "max", a: 0 },
      { op: "sub", dtype: "f32", a: 0, b: 1 },
      { op: "exp", dtype: "f32", a: 2 },
      { op: "reduce", dtype: "f32", how: "sum", a: 3 },
      { op: "div", dtype: "f32", a: 3, b: 4 },
    ];
    const { emitted, interpreted, expected } = runAll({
      program: {
        shape,
        reduced: 1,
        instructions,
        outputs: [
          { value: 5, perRow: false },
          { value: 4, perRow: true },
        ],
      },
      inputs: [input(floats(5 * n), "f32", [n, 1])],
      outputs: ["f32", "f32"],
    });
    expect(emitted).toEqual(interpreted);
    emitted.forEach((e, i) => expectClose(e, expected[i]!, 5e-7));
  });

  it.each(["sum", "prod", "max", "min"] as const)("%s over two axes that do not join, of floats and integers", (how) => {
    for (const dtype of ["f32", "i32"] as const) {
      const bytes =
        dtype === "f32"
          ? floats(4 * 3 * 20, 1.2)
          : new Uint8Array(Int32Array.from({ length: 240 }, () => Math.floor(random() * 7) - 3).buffer);
      const program: Program = {
        shape: [4, 3, 5],
        reduced: 2,
        instructions: [load(0, dtype), { op: "reduce", dtype, how, a: 0 }],
        outputs: [{ value: 1, perRow: true }],
      };
      const { emitted, interpreted, expected } = runAll({ program, inputs: [input(bytes, dtype, [60, 20, 2])], outputs: [dtype] });
      expect(emitted).toEqual(interpreted);
      if (dtype === "i32") expect(emitted).toEqual(expected);
      else expectClose(emitted[0]!, expected[0]!, 1e-6);
    }
  });

  it("reads a value per row, a position, and joins a reduction with both", () => {
    const instructions: Instruction[] = [
      load(0),
      load(1),
      { op: "index", dtype: "i32", axis: 1 },
      { op: "cast", dtype: "f32", a: 2 },
      { op: "index", dtype: "i32", axis: 0 },
      { op: "cast", dtype: "f32", a: 4 },
      { op: "mul", dtype: "f32", a: 0, b: 3 },
      { op: "add", dtype: "f32", a: 6, b: 5 },
      { op: "reduce", dtype: "f32", how: "sum", a: 7 },
      { op: "add", dtype: "f32", a: 8, b: 1 },
      { op: "sub", dtype: "f32", a: 0, b: 9 },
    ];
    const { emitted, interpreted, expected } = runAll({
      program: {
        shape: [6, 13],
        reduced: 1,
        instructions,
        outputs: [
          { value: 9, perRow: true },
          { value: 10, perRow: false },
        ],
      },
      inputs: [input(floats(78), "f32", [13, 1]), input(floats(6), "f32", [1, 0])],
      outputs: ["f32", "f32"],
    });
    expect(emitted).toEqual(interpreted);
    emitted.forEach((e, i) => expectClose(e, expected[i]!, 1e-6, 1e-5));
  });

  it("integer arithmetic, comparisons and choice", () => {
    const ints = (n: number, low: number): Uint8Array =>
      new Uint8Array(Int32Array.from({ length: n }, () => Math.floor(random() * 40) + low).buffer);
    const binary = ["add", "sub", "mul", "div", "mod", "max", "min", "eq", "ne", "lt", "le", "and", "or"] as const;
    for (const op of binary) {
      const bool = ["eq", "ne", "lt", "le", "and", "or"].includes(op);
      const instructions: Instruction[] = [
        load(0, "i32"),
        load(1, "i32"),
        { op, dtype: bool ? "bool" : "i32", a: 0, b: 1 },
        { op: "where", dtype: "i32", a: 2, b: 0, c: 1 },
        { op: "not", dtype: "bool", a: 2 },
        { op: "sign", dtype: "i32", a: 0 },
      ];
      const { emitted, interpreted, expected } = runAll({
        program: { shape: [67], reduced: 0, instructions, outputs: [2, 3, 4, 5].map((value) => ({ value, perRow: false })) },
        inputs: [input(ints(67, -20), "i32", [1]), input(ints(67, -5), "i32", [1])],
        outputs: [bool ? "bool" : "i32", "i32", "bool", "i32"],
      });
      expect(emitted, op).toEqual(expected);
      expect(interpreted, op).toEqual(expected);
    }
  });
});

describe("conversions", () => {
  const small = { f16: 65536, bf16: 65536, f8e4m3: 256, f8e5m2: 256 } as const;
  it.each(["f16", "bf16", "f8e4m3", "f8e5m2"] as const)("every pattern of %s to f32 and back, bit for bit", (dtype) => {
    const count = small[dtype];
    const bytes =
      count === 256
        ? Uint8Array.from({ length: 256 }, (_, i) => i)
        : new Uint8Array(Uint16Array.from({ length: count }, (_, i) => i).buffer);
    const program: Program = {
      shape: [count],
      reduced: 0,
      instructions: [load(0, dtype), { op: "cast", dtype: "f32", a: 0 }],
      outputs: [
        { value: 1, perRow: false },
        { value: 0, perRow: false },
      ],
    };
    const { emitted, interpreted, expected } = runAll({ program, inputs: [input(bytes, dtype, [1])], outputs: ["f32", dtype] });
    for (const got of [emitted, interpreted]) {
      expectClose(got[0]!, expected[0]!, 0, 0);
      // The reference decodes to a JavaScript number, whose NaN has no sign; NaN patterns need only be NaN again.
      const keep = (raw: Uint8Array): number[] =>
        [...(count === 256 ? raw : new Uint16Array(raw.buffer, raw.byteOffset, count))].map((b, i) =>
          Number.isNaN(asFloats(expected[0]!)[i]!) ? b & ((count >> 1) - 1) : b,
        );
      expect(keep(got[1]!)).toEqual(keep(expected[1]!));
    }
  });

  it.each(["f16", "bf16", "f8e4m3", "f8e5m2"] as const)("f32 to %s rounds to nearest even: on, below and above every boundary", (dtype) => {
    const count = small[dtype];
    const bytes =
      count === 256
        ? Uint8Array.from({ length: 256 }, (_, i) => i)
        : new Uint8Array(Uint16Array.from({ length: count }, (_, i) => i).buffer);
    const widen: Program = {
      shape: [count],
      reduced: 0,
      instructions: [load(0, dtype), { op: "cast", dtype: "f32", a: 0 }],
      outputs: [{ value: 1, perRow: false }],
    };
    const exact = asFloats(runAll({ program: widen, inputs: [input(bytes, dtype, [1])], outputs: ["f32"] }).expected[0]!);
    const finite = [...exact].filter(Number.isFinite).sort((a, b) => a - b);
    const bits = new Int32Array(1);
    const value = new Float32Array(bits.buffer);
    const probes: number[] = [0, -0, NaN, Infinity, -Infinity, 1e38, -1e38, 1e-45, 65519.99, 65520, 65536, 464, 465, 61440];
    finite.forEach((low, i) => {
      if (i === 0) return;
      value[0] = (finite[i - 1]! + low) / 2;
      for (const by of [-1, 0, 1]) {
        const at = bits[0]!;
        bits[0] = at + by;
        probes.push(value[0]!);
        bits[0] = at;
      }
    });
    const program: Program = { shape: [probes.length], reduced: 0, instructions: [load(0)], outputs: [{ value: 0, perRow: false }] };
    const { emitted, interpreted, expected } = runAll({
      program,
      inputs: [input(new Uint8Array(Float32Array.from(probes).buffer), "f32", [1])],
      outputs: [dtype],
    });
    expect(emitted).toEqual(expected);
    expect(interpreted).toEqual(expected);
  });
});
