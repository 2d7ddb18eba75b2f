import { type LongCallOptions, throwIfAborted } from "@weft/tensor-core";
import type { WeightSource } from "./weight-source.js";

/**
 * A source whose reads stop once `signal` fires, and tell how many of its bytes were read. Whatever reads through it can be stopped and watched.
 * @param names what is going to be read; all tensors if not given
 */
export function observeReads(
  source: WeightSource,
  { signal, onProgress }: LongCallOptions,
  names: Iterable<string> = source.names(),
): WeightSource {
  if (!signal && !onProgress) return source;
  const total = [...names].reduce((sum, name) => sum + source.info(name).bytes, 0);
  let done = 0;
  return {
    ...source,
    async read(name, rows) {
      throwIfAborted(signal);
      const view = await source.read(name, rows);
      throwIfAborted(signal);
      done += view.data.byteLength;
      onProgress?.(done, total);
      return view;
    },
  };
}
