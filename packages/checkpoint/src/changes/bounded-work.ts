import { CancelledError } from "@weft/tensor-core";
import type { MatchedModule } from "@weft/adapter-files";

/** Multiplications that the decompositions for one adapter may take: about a minute. */
const MAX_WORK = 5e10;

/**
 * Decomposes the weights of an adapter's modules, one after the other, in bounded time.
 * @param workOf a bound on the multiplications that one module takes
 * @param refusal the error if all of them together take too long, given why
 * @returns what `decompose` gave, by path of the module
 * @throws CancelledError, and the refusal
 */
export async function decomposeAll<T>(
  matched: readonly MatchedModule[],
  workOf: (module: MatchedModule) => number,
  decompose: (module: MatchedModule) => Promise<T>,
  refusal: (why: string) => Error,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, T>> {
  const work = matched.reduce((sum, module) => sum + workOf(module), 0);
  if (work > MAX_WORK)
    throw refusal(
      `decomposing ${matched.length} weights takes up to ${(work / MAX_WORK).toFixed(1)} times what a merge allows itself (a minute)`,
    );
  const results = new Map<string, T>();
  for (const module of matched) {
    // Lets a signal's handler run between weights.
    await new Promise<void>((resolve) => setTimeout(resolve));
    if (signal?.aborted) throw new CancelledError("stopped");
    results.set(module.path, await decompose(module));
  }
  return results;
}

/** Values in memory that worker threads see without a copy of their own, where there is such memory. */
export function sharedWithWorkers<A extends Float32Array | Int32Array>(values: A): A {
  if (typeof SharedArrayBuffer === "undefined") return values;
  const memory = new SharedArrayBuffer(values.byteLength);
  const result = (values instanceof Int32Array ? new Int32Array(memory) : new Float32Array(memory)) as A;
  result.set(values);
  return result;
}
