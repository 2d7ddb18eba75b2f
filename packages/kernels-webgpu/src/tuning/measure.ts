import type { BackendBuffer, Executable } from "@weft/tensor-core";
import type { WebGpuBackend } from "../backend.js";

/** How long, and how often, a kernel is timed. */
export interface MeasureOptions {
  /** Least length of a measured pass in seconds; GPUs measure in coarse steps. */
  readonly seconds?: number;
  readonly rounds?: number;
}

/** Runs in one pass; more only delay the driver. */
const MOST_REPEATS = 1000;

/**
 * Seconds per run of a lowered plan, best of some rounds: by the GPU's own clock around back-to-back runs in one pass, by the wall where
 * it has none. The first pass is a warm-up.
 */
export async function secondsPerRun(
  backend: WebGpuBackend,
  executable: Executable,
  inputs: readonly BackendBuffer[],
  outputs: readonly BackendBuffer[],
  { seconds = 0.01, rounds = 3 }: MeasureOptions = {},
): Promise<number> {
  const timed = backend.device.features.has("timestamp-query");
  const once = async (repeats: number): Promise<number> => {
    if (timed) {
      const own = await backend.time(executable, inputs, outputs, repeats);
      // Short passes may read 0 where timestamps are coarse.
      if (own > 0) return own;
    }
    const start = performance.now();
    for (let i = 0; i < repeats; i++) await backend.run(executable, inputs, outputs);
    await backend.finish();
    return (performance.now() - start) / 1000 / repeats;
  };
  await once(1);
  const estimate = Math.max(await once(1), 1e-7);
  const repeats = Math.max(1, Math.min(MOST_REPEATS, Math.ceil(seconds / estimate)));
  let best = Infinity;
  for (let round = 0; round < rounds; round++) best = Math.min(best, await once(repeats));
  return best;
}
