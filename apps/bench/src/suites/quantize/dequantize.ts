import { join } from "node:path";
import { createWasmBackend } from "@weft/kernels-wasm";
import { fourBit, quantize, toPacked } from "@weft/quant-nf4-awq";
import { compile, dequantize, Device, type Parts } from "@weft/tensor-core";
import type { BenchContext } from "../../context.js";
import { type Contestant, takeTurns, timeCalls } from "../../turns.js";
import { equalBytes, type Subject } from "./encode.js";

const [OURS, THEIRS] = ["weft 1 thread", "bitsandbytes 1 thread"];

/** NF4 back to f32, as a compiled function, against bitsandbytes, whose values it has. */
export async function measureDequantize({ weight, size, folder, python }: Subject, context: BenchContext): Promise<void> {
  const device = new Device(await createWasmBackend({ threads: 1 }));
  try {
    const { format, shape, parts } = toPacked(quantize(weight, [size, size], fourBit()), device);
    const values = await compile((own: Parts) => dequantize({ format, shape, parts: own }), { device }).prepare(parts);
    const run = async (): Promise<void> => (await values(parts)).dispose();
    const result = await values(parts);
    const numbers = (await result.data()) as Float32Array;
    result.dispose();
    const call = { op: "nf4_values", args: ["$w"] };
    const contestants: Contestant[] = [{ name: OURS, turn: (time) => timeCalls(run, time) }];
    const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    if (python && (await equalBytes(python, call, join(folder, "values"), bytes)))
      contestants.push({
        name: THEIRS,
        turn: async (time) => (await python.call({ cmd: "time", ...call, threads: 1, seconds: time }))["seconds"] as number,
      });
    else context.note("NF4 back: bitsandbytes is not installed");
    const times = await takeTurns(contestants, { rounds: context.rounds, seconds: context.quick ? 0.02 : 0.3 });
    const ratio = (times.get(THEIRS)?.best ?? NaN) / times.get(OURS)!.best;
    for (const [name, { best, spread, rounds }] of times) {
      const judged =
        name === OURS && times.size > 1 ? { anchor: THEIRS, ratio, goal: "≥ 1×", met: ratio >= 1 } : { anchor: null, ratio: null };
      const record = { suite: "quantize", case: `NF4 to f32, ${size}×${size}, ${name}`, metric: "time", value: best, unit: "s" };
      context.emit({ ...record, spread, rounds, ...judged });
    }
  } finally {
    device.dispose();
  }
}
