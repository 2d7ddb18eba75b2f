import { CancelledError } from "./errors.js";

/** What every call that may take long can be given. */
export interface LongCallOptions {
  /** Stops the call: it rejects with a CancelledError and leaves nothing half done behind. */
  readonly signal?: AbortSignal | undefined;
  /** Told how far it is: bytes of files, unless a function says otherwise. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** @throws CancelledError if the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError("cancelled", { cause: signal.reason });
}

/** Resolves when the tasks have run that wait by now: timers, messages, requests of a server. A promise alone would not let them in, and work on a processor waits for nothing else. */
export function afterOtherTasks(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
