import { compute, decode, encode, type Pass } from "@weft/tensor-core/program";
import type { Loop } from "./loop.js";
import { operandWord } from "./operand-words.js";
import { ADD, LESS, MUL, NOT_LESS, SELECT, SUB, LoopCode } from "./loop-code.js";
import { lanePatterns } from "./lane-patterns.js";
import { loadRaw, lookupRaw, storeRaw } from "./memory-code.js";
import { reductions } from "./reduce-code.js";
import { type Local, WasmLanes } from "./wasm-lanes.js";

const [ROW, END] = [1, 2];

/** Writes the module that runs a loop: `run(args, first row, row behind the last)`. */
export function emitLoop(loop: Loop): Uint8Array<ArrayBuffer> {
  const { program, analysis, operands, rowSizes, sweepSizes } = loop;
  const { instructions, outputs } = program;
  const dtypes = instructions.map((i) => i.dtype);
  const w = new WasmLanes(3);
  const { lanes } = w;
  const code = new LoopCode(w, loop);
  const { stride } = code;

  const [size, left, sweep, slot, cache] = [code.i32(), code.i32(), code.i32(), code.i32(), code.i32()];
  const rowPointer = operands.map(() => code.i32());
  const pointer = operands.map(() => code.i32());
  const values: Local[] = [];
  const patterns = lanePatterns(instructions, 4, (i) => {
    if (i.op !== "load" && i.op !== "index") return undefined;
    const { inner } = operands[code.operandOf(i)]!;
    if (inner === "fixed") return "same";
    return i.op === "index" && inner === "contiguous" ? "counted" : undefined;
  });
  const results = new Map<number, Local>();

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
      const k = code.operandOf(i);
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
          .map((i) => code.operandOf(i)),
        ...pass.stores.map((o) => operands.length - outputs.length + o),
      ]),
    ];
    const cached = pass.kept.length + pass.recalled.length > 0;

    const body = (width: number): void => {
      const slotOf = (v: number): void => {
        w.get(cache).get(slot).i32Const(analysis.kept.indexOf(v));
        code.op(MUL).op(ADD);
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
      code.advance(pointer, used, width);
      if (cached) code.addTo(cache, () => void w.i32Const(16));
      w.get(left).i32Const(width);
      code.op(SUB);
      w.set(left);
    };

    const elements = (): void => {
      w.get(size).set(left);
      if (cached) w.code.raw(0x23, 0, 0x21).unsigned(cache);
      for (const width of [4, 1]) {
        code.repeat(() => {
          w.get(left).i32Const(width);
          code.leaveIf(LESS);
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
      code.repeat(() => {
        w.get(sweep);
        code.word(2);
        code.leaveIf(NOT_LESS);
        start();
        w.get(sweep);
        code.addOffsets(sweepSizes, 4 + rowSizes.length, (k) => operandWord(loop, k) + 1 + rowSizes.length, pointer, used);
        elements();
        code.addTo(sweep, () => void w.i32Const(1));
      });
    }
    for (const r of pass.reduces) finish(r, accumulators.get(r)!);
  };

  code.word(3).w.set(slot);
  code.begin();
  const all = operands.map((_, k) => k);
  const rowAt = (k: number): number => operandWord(loop, k) + 1;
  code.repeat(() => {
    w.get(ROW).get(END);
    code.leaveIf(NOT_LESS);
    code.toBeginning(rowPointer, all);
    code.word(0).w.set(size);
    w.get(ROW);
    code.addOffsets(rowSizes, 4, rowAt, rowPointer, all, (at) => {
      if (loop.block === 0) return;
      // The last block may be shorter: size = min(block, inner - index·block).
      code.word(0).w.get(at);
      code.word(1).op(MUL).op(SUB).w.set(size);
      w.get(size);
      code.word(1).w.get(size);
      code.word(1).op(LESS).op(SELECT).w.set(size);
    });
    for (const pass of analysis.passes) sweepPass(pass);
    for (const v of analysis.last) values[v] = readValue(v, 1, rowPointer);
    outputs.forEach((o, i) => {
      if (o.perRow) writeOutput(i, 1, rowPointer);
    });
    code.addTo(ROW, () => void w.i32Const(1));
  });
  return w.module();
}
