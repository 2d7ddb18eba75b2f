import { createOnnxBackend } from "@weft/kernels-onnx";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import type { Timing } from "../../statistics.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";

/** The devices that are compared, each with as many threads. */
const ENGINES: Readonly<Record<"onnx" | "wasm", (threads: number) => Promise<Device>>> = {
  onnx: async (threads) => new Device(await createOnnxBackend({ threads })),
  wasm: async (threads) => new Device(await createWasmBackend({ threads, relaxed: true })),
};

/** Work on one device: what is called again and again, and the number by which the engines are compared. */
export interface Work {
  readonly call: () => Promise<unknown>;
  readonly result: () => Promise<number>;
}

export interface Comparison {
  readonly name: string;
  readonly threads: number;
  readonly prepare: (device: Device) => Promise<Work>;
  /** Largest relative difference of the two results. */
  readonly tolerance: number;
  /** How many times as fast as WASM it is to be. */
  readonly goal: number;
  /** The same in torch, where there is a Python that has it, and how many times as fast as that it is to be. */
  readonly torch?: Contestant | undefined;
  readonly torchGoal?: number;
}

/** Measures the same work on both engines, and in torch, in turns. */
export async function compare(
  { name, threads, prepare, tolerance, goal, torch, torchGoal }: Comparison,
  context: BenchContext,
): Promise<void> {
  const [onnx, wasm] = [await ENGINES.onnx(threads), await ENGINES.wasm(threads)];
  try {
    const [ours, theirs] = [await prepare(onnx), await prepare(wasm)];
    const [got, expected] = [await ours.result(), await theirs.result()];
    const error = Math.abs(got - expected) / Math.abs(expected);
    if (!(error <= tolerance)) throw new Error(`${name}: onnx computes ${got}, wasm ${expected}`);
    const turn =
      ({ call }: Work) =>
      (seconds: number) =>
        timeCalls(call, seconds);
    const contestants = [{ name: "onnx", turn: turn(ours) }, { name: "wasm", turn: turn(theirs) }, ...(torch ? [torch] : [])];
    const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.1 : 0.5 });
    const emit = (engine: string, { best, spread, rounds }: Timing, more: object): void =>
      context.emit({
        suite: "onnx",
        case: `${name}, ${engine}, ${threads} ${threads === 1 ? "thread" : "threads"}`,
        metric: "time",
        value: best * 1000,
        unit: "ms",
        anchor: null,
        ratio: null,
        spread,
        rounds,
        ...more,
      });
    const mine = times.get("onnx")!;
    for (const [engine, timing] of times) {
      if (engine === "onnx") continue;
      const ratio = timing.best / mine.best;
      const wanted = engine === "wasm" ? goal : torchGoal;
      emit(engine, timing, {});
      emit("onnx", mine, { error, anchor: engine, ratio, ...(wanted !== undefined && { goal: `≥ ${wanted} ×`, met: ratio >= wanted }) });
    }
  } finally {
    onnx.dispose();
    wasm.dispose();
  }
}
