import { useEffect, useState } from "preact/hooks";
import { EngineError } from "../client/engine-client.js";
import type { Failure } from "../protocol/values.js";

/** What was asked: not yet there, there, or refused. While it is asked again, what was there stays. */
export interface Asked<T> {
  readonly value: T | undefined;
  readonly failure: Failure | undefined;
  readonly isAsking: boolean;
}

/**
 * Asks the engine, and again when what is asked for changes and has not changed for a moment.
 * @param key of what is asked; undefined asks nothing
 */
export function useAnswer<T>(key: string | undefined, ask: () => Promise<T>, wait = 0): Asked<T> {
  const [asked, set] = useState<Asked<T>>({ value: undefined, failure: undefined, isAsking: key !== undefined });
  useEffect(() => {
    if (key === undefined) return set({ value: undefined, failure: undefined, isAsking: false });
    let isCurrent = true;
    set(({ value }) => ({ value, failure: undefined, isAsking: true }));
    const timer = setTimeout(() => {
      ask().then(
        (value) => isCurrent && set({ value, failure: undefined, isAsking: false }),
        (error: unknown) => {
          const failure = error instanceof EngineError ? error.failure : { kind: "internal", message: (error as Error).message };
          if (isCurrent) set({ value: undefined, failure, isAsking: false });
        },
      );
    }, wait);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [key]);
  return asked;
}
