import { bytesPerElement, type Instruction } from "@weft/tensor-core";
import { compute, decode, encode, type Pass, tablesOf } from "@weft/tensor-core/program";
import { indexAxes, type Loop, operandWord } from "./loop.js";
import { type LanePattern, lanePatterns } from "./lane-patterns.js";
import { loadRaw, lookupRaw, storeRaw } from "./memory-code.js";
import { reductions } from "./reduce-code.js";
import { I32, type Local, WasmLanes } from "./wasm-lanes.js";
import { Writer, wasmModule } from "./writer.js";

const [ADD, SUB, MUL, DIV, REM, LESS, NOT_LESS] = [0x6a, 0x6b, 0x6c, 0x6d, 0x6f, 0x48, 0x4e];
const [DIV_UNSIGNED, REM_UNSIGNED] = [0x6e, 0x70];
const [ARGS, ROW, END] = [0, 1, 2];
/** Parameters of the code for a line. */
const [TO, FROM, COUNT] = [1, 2, 3];

/** Writes the module that runs a loop: `run(args, first row, row behind the last)`, or, for a line, `run(args, to, number of its first element, count)`. */
export function emitLoop(loop: Loop): Uint8Array<ArrayBuffer> {
  const { program, analysis, operands, rowSizes, sweepSizes } = loop;
  const { instructions, outputs } = program;
  const dtypes = instructions.map((i) => i.dtype);
  const w = new WasmLanes(loop.line ? 4 : 3);
  const { lanes } = w;
  const inputs = operands.length - outputs.length - indexAxes(program).length;
  const counterOf = (axis: number): number => inputs + indexAxes(program).indexOf(axis);
  const operandOf = (i: Instruction): number => (i.op === "load" ? i.input : counterOf((i as { axis: number }).axis));
  const isCounter = (k: number): boolean => k >= inputs && k < operands.length - outputs.length;
  const unit = (k: number): number => (isCounter(k) ? 1 : bytesPerElement(operands[k]!.dtype));

  const i32 = (): Local => w.local(I32);
  const [rest, at, size, left, sweep, slot, cache] = [i32(), i32(), i32(), i32(), i32(), i32(), i32()];
  const rowPointer = operands.map(i32);
  const pointer = operands.map(i32);
  const stride = operands.map(i32);
  const values: Local[] = [];
  const patterns = lanePatterns(instructions, (i): LanePattern | undefined => {
    if (i.op !== "load" && i.op !== "index") return undefined;
    const { inner } = operands[operandOf(i)]!;
    if (inner === "fixed") return { multiple: 1, offsets: [0, 0, 0, 0] };
    return i.op === "index" && inner === "contiguous" ? { multiple: 4, offsets: [0, 1, 2, 3] } : undefined;
  });
  const results = new Map<number, Local>();

  const word = (index: number): void =>
    void w
      .get(ARGS)
      .code.raw(0x28, 2)
      .unsigned(index * 4);
  const op = (code: number): void => void w.code.raw(code);
  const addTo = (local: Local, make: () => void): void => {
    w.get(local);
    make();
    op(ADD);
    w.set(local);
  };
  const loop_ = (body: () => void): void => {
    w.code.raw(0x02, 0x40, 0x03, 0x40);
    body();
    w.code.raw(0x0c, 0, 0x0b, 0x0b);
  };
  const leaveIf = (code: number): void => void w.code.raw(code, 0x0d, 1);

  /** Splits `rest` along axes and adds each index times the operands' strides to their pointers. */
  const addOffsets = (
    sizes: readonly number[],
    sizeWord: number,
    strideWord: (k: number) => number,
    pointers: readonly Local[],
    used: readonly number[],
    first?: () => void,
  ): void => {
    for (let axis = sizes.length - 1; axis >= 0; axis--) {
      w.get(rest);
      if (axis > 0) {
        word(sizeWord + axis);
        op(REM);
        w.set(at);
        w.get(rest);
        word(sizeWord + axis);
        op(DIV);
        w.set(rest);
      } else w.set(at);
      for (const k of used) {
        addTo(pointers[k]!, () => {
          w.get(at);
          word(strideWord(k) + axis);
          op(MUL);
        });
      }
      if (axis === 0) first?.();
    }
  };

  const readValue = (index: number, width: number, pointers: readonly Local[]): Local => {
    const i = instructions[index]!;
    if (i.op === "load") {
      const { dtype, inner } = operands[i.input]!;
      return decode(lanes, loadRaw(w, dtype, inner, width, pointers[i.input]!, stride[i.input]!), dtype);
    }
    if (i.op === "lookup") {
      const { dtype, inner } = operands[i.input]!;
      const raw = lookupRaw(w, dtype, inner, width, rowPointer[i.input]!, stride[i.input]!, values[i.a]!, patterns[i.a]?.offsets);
      return decode(lanes, raw, dtype);
    }
    if (i.op === "index") {
      const k = operandOf(i);
      const base = w.get(pointers[k]!).simd(0x11).keep();
      if (width === 1 || operands[k]!.inner === "fixed") return base;
      const steps = w.constant(Int32Array.of(0, 1, 2, 3));
      return lanes.iadd(base, lanes.imul(steps, w.get(stride[k]!).simd(0x11).keep()));
    }
    if (i.op === "reduce") return results.get(index)!;
    return compute(
      lanes,
      i,
      (a) => values[a]!,
      (a) => instructions[a]!.dtype,
    );
  };

  const writeOutput = (o: number, width: number, pointers: readonly Local[]): void => {
    const k = operands.length - outputs.length + o;
    const { dtype, inner } = operands[k]!;
    const { value } = outputs[o]!;
    const bits = encode(lanes, values[value]!, dtypes[value]!, dtype);
    storeRaw(w, dtype, inner, width, pointers[k]!, stride[k]!, bits);
  };

  const { accumulate, begin, finish } = reductions(w, instructions, values, results);

  const sweepPass = (pass: Pass): void => {
    for (const v of pass.perRow) values[v] = readValue(v, 1, rowPointer);
    const accumulators = new Map(pass.reduces.map((r) => [r, begin(r)]));
    const used = [
      ...new Set([
        ...pass.perElement
          .map((v) => instructions[v]!)
          .filter((i) => i.op === "load" || i.op === "index")
          .map(operandOf),
        ...pass.stores.map((o) => operands.length - outputs.length + o),
      ]),
    ];
    const cached = pass.kept.length + pass.recalled.length > 0;

    const body = (width: number): void => {
      const slotOf = (v: number): void => {
        w.get(cache).get(slot).i32Const(analysis.kept.indexOf(v));
        op(MUL);
        op(ADD);
      };
      for (const v of pass.recalled) {
        slotOf(v);
        values[v] = w.simd(0x00, 0, 0).keep();
      }
      for (const v of pass.perElement) values[v] = readValue(v, width, pointer);
      for (const v of pass.kept) {
        slotOf(v);
        w.get(values[v]!).simd(0x0b, 0, 0);
      }
      for (const r of pass.reduces) accumulate(r, accumulators, width);
      for (const o of pass.stores) writeOutput(o, width, pointer);
      for (const k of used) {
        if (operands[k]!.inner === "contiguous") addTo(pointer[k]!, () => void w.i32Const(width * unit(k)));
        else if (operands[k]!.inner === "strided") {
          addTo(pointer[k]!, () => {
            w.get(stride[k]!).i32Const(width);
            op(MUL);
          });
        }
      }
      if (cached) addTo(cache, () => void w.i32Const(16));
      w.get(left).i32Const(width);
      op(SUB);
      w.set(left);
    };

    const elements = (): void => {
      w.get(size).set(left);
      if (cached) w.code.raw(0x23, 0, 0x21).unsigned(cache);
      for (const width of [4, 1]) {
        loop_(() => {
          w.get(left).i32Const(width);
          leaveIf(LESS);
          body(width);
        });
      }
    };

    const start = (): void => used.forEach((k) => w.get(rowPointer[k]!).set(pointer[k]!));
    if (sweepSizes.length === 0) {
      start();
      elements();
    } else {
      w.i32Const(0).set(sweep);
      loop_(() => {
        w.get(sweep);
        word(2);
        leaveIf(NOT_LESS);
        start();
        w.get(sweep).set(rest);
        addOffsets(sweepSizes, 4 + rowSizes.length, (k) => operandWord(loop, k) + 1 + rowSizes.length, pointer, used);
        elements();
        addTo(sweep, () => void w.i32Const(1));
      });
    }
    for (const r of pass.reduces) finish(r, accumulators.get(r)!);
  };

  word(3);
  w.set(slot);
  operands.forEach((_, k) => {
    word(operandWord(loop, k) + 1 + rowSizes.length + sweepSizes.length);
    w.set(stride[k]!);
  });
  const rowAt = (k: number): number => operandWord(loop, k) + 1;

  /** Elements from a number on, which lie in one row. */
  const line = (): void => {
    const [read, tables] = [operands.map((_, k) => k).slice(0, -outputs.length), tablesOf(program)];
    const place = (code: number, to: Local): void => {
      w.get(FROM);
      word(0);
      op(code);
      w.set(to);
    };
    place(DIV_UNSIGNED, rest);
    place(REM_UNSIGNED, left);
    for (const k of read) {
      word(operandWord(loop, k));
      w.set(rowPointer[k]!);
    }
    w.get(TO).set(rowPointer[operands.length - 1]!);
    addOffsets(rowSizes, 4, rowAt, rowPointer, read);
    for (const k of read.filter((at) => !tables.has(at))) {
      addTo(rowPointer[k]!, () => {
        w.get(left).get(stride[k]!);
        op(MUL);
      });
    }
    w.get(COUNT).set(size);
    for (const pass of analysis.passes) sweepPass(pass);
  };

  const allRows = (): void =>
    loop_(() => {
      w.get(ROW).get(END);
      leaveIf(NOT_LESS);
      operands.forEach((_, k) => {
        word(operandWord(loop, k));
        w.set(rowPointer[k]!);
      });
      word(0);
      w.set(size);
      w.get(ROW).set(rest);
      addOffsets(
        rowSizes,
        4,
        rowAt,
        rowPointer,
        operands.map((_, k) => k),
        () => {
          if (loop.block === 0) return;
          // The last block may be shorter: size = min(block, inner - index·block).
          word(0);
          w.get(at);
          word(1);
          op(MUL);
          op(SUB);
          w.set(size);
          w.get(size);
          word(1);
          w.get(size);
          word(1);
          op(LESS);
          op(0x1b);
          w.set(size);
        },
      );
      for (const pass of analysis.passes) sweepPass(pass);
      for (const v of analysis.last) values[v] = readValue(v, 1, rowPointer);
      outputs.forEach((o, i) => {
        if (o.perRow) writeOutput(i, 1, rowPointer);
      });
      addTo(ROW, () => void w.i32Const(1));
    });
  if (loop.line) line();
  else allRows();
  const code = new Writer();
  code.raw(...w.prologue.bytes);
  for (const b of w.code.bytes) code.bytes.push(b);
  return wasmModule(w.locals(), code, loop.line ? 4 : 3);
}
