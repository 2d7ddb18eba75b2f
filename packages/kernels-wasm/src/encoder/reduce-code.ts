import { type Instruction, isFloat } from "@weft/tensor-core";
import { combination, identity, type Reduce } from "@weft/tensor-core/program";
import { isWide } from "./reduction.js";
import { type Local, V128, type WasmLanes } from "./wasm-lanes.js";

/** One local, or two that hold four f64. */
type Accumulator = readonly Local[];

/** Code that takes values of a sweep into accumulators. */
interface Reductions {
  begin(r: number): Accumulator;
  accumulate(r: number, accumulators: ReadonlyMap<number, Accumulator>, width: number): void;
  /** Puts the total, the same in every lane, among `results`. */
  finish(r: number, accumulator: Accumulator): void;
}

/** @param values locals of the program's values */
export function reductions(
  w: WasmLanes,
  instructions: readonly Instruction[],
  values: readonly Local[],
  results: Map<number, Local>,
): Reductions {
  const { lanes } = w;
  const accumulate = (r: number, accumulators: Map<number, Accumulator>, width: number): void => {
    const { how, a, dtype } = instructions[r] as Reduce;
    const value = width === 4 ? values[a]! : lanes.select(w.constant(Int32Array.of(-1, 0, 0, 0)), values[a]!, neutral(dtype, how));
    const into = accumulators.get(r)!;
    const step = combination(how, dtype);
    if (isWide(step)) w.widen(value, "f32").forEach((x, k) => w.get(w.wide(step, into[k]!, x)).set(into[k]!));
    else w.get(w.op(step, [into[0]!, value])).set(into[0]!);
  };

  const neutral = (dtype: Reduce["dtype"], how: Reduce["how"]): Local =>
    isFloat(dtype) ? w.f32(identity(how, dtype)) : w.i32(identity(how, dtype));

  const begin = (r: number): Accumulator => {
    const { how, dtype } = instructions[r] as Reduce;
    const wide = isWide(combination(how, dtype));
    const start = wide ? w.f64(identity(how, dtype)) : neutral(dtype, how);
    return Array.from({ length: wide ? 2 : 1 }, () => {
      const local = w.local(V128);
      w.get(start).set(local);
      return local;
    });
  };

  const finish = (r: number, accumulator: Accumulator): void => {
    const { how, dtype } = instructions[r] as Reduce;
    const step = combination(how, dtype);
    if (isWide(step)) {
      const halves = w.wide(step, accumulator[0]!, accumulator[1]!);
      const total = w.wide(step, halves, w.shuffle(halves, halves, [2, 3, 0, 1]));
      const narrow = w.get(total).simd(0x5e).keep();
      results.set(r, w.shuffle(narrow, narrow, [0, 0, 0, 0]));
      return;
    }
    const [all] = accumulator as [Local];
    const pairs = w.op(step, [all, w.shuffle(all, all, [2, 3, 0, 1])]);
    results.set(r, w.op(step, [pairs, w.shuffle(pairs, pairs, [1, 0, 3, 2])]));
  };
  return { begin, accumulate, finish };
}
