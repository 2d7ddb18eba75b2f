import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { assertDone, runProcess } from "../../../process.js";
import type { LargeModelResult } from "../large-model.js";
import type { CoreCase } from "./case.js";

/** More than one WebAssembly memory of 4 GiB holds. */
const BYTES = 4.5e9;
/** Most memory while loading, in parts of the weights. */
const PEAK_GOAL = 1.1;
const GB = 1e9;

/** Weights beyond one WebAssembly memory: the peak memory of loading them piece by piece, and the time of one token. */
export const largeModelCase: CoreCase = {
  name: "large model",
  async run(context) {
    const program = join(dirname(fileURLToPath(import.meta.url)), "large-model.js");
    const bytes = context.quick ? BYTES / 20 : BYTES;
    const runs = (["bf16", "int8"] as const).flatMap((format) => [1, 2].map((threads) => ({ format, threads })));
    for (const { format, threads } of runs) {
      const { stdout } = assertDone("large-model", await runProcess(process.execPath, [program, format, `${bytes}`, `${threads}`]));
      const result = JSON.parse(stdout) as LargeModelResult;
      if (!result.exact) throw new Error("large model: the result is not what the weights make it");
      const common = {
        suite: "core",
        case: `model of ${(result.weightBytes / GB).toFixed(2)} GB in ${format}, ${result.memories} memories, ${threads} ${threads === 1 ? "thread" : "threads"}`,
        anchor: "its weights",
      } as const;
      const peak = (metric: string, value: number): void =>
        context.emit({
          ...common,
          metric,
          value: value / GB,
          unit: "GB",
          ratio: result.weightBytes / value,
          goal: `≤ ${PEAK_GOAL} × the weights`,
          met: context.quick || value <= PEAK_GOAL * result.weightBytes,
        });
      peak("peak memory of loading", result.loadPeakBytes);
      peak("peak memory with one token", result.peakBytes);
      const rate = { ...common, anchor: null, ratio: null, unit: "GB/s" } as const;
      context.emit({ ...rate, metric: "loading", value: result.weightBytes / GB / result.loadSeconds });
      context.emit({ ...rate, metric: "weights read per second of decoding", value: result.weightBytes / GB / result.tokenSeconds });
    }
  },
};
