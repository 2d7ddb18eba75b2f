import { constants } from "node:os";

/** Turns SIGINT and SIGTERM into an AbortSignal, so that jobs stop between tiles and clean up. A second SIGINT ends at once. */
export function watchSignals(): { readonly signal: AbortSignal; received(): string | undefined; dispose(): void } {
  const controller = new AbortController();
  let name: string | undefined;
  const listener = (signal: NodeJS.Signals): void => {
    if (name !== undefined && signal === "SIGINT") process.exit(128 + constants.signals.SIGINT);
    name ??= signal;
    controller.abort();
  };
  process.on("SIGINT", listener);
  process.on("SIGTERM", listener);
  return {
    signal: controller.signal,
    received: () => name,
    dispose() {
      process.off("SIGINT", listener);
      process.off("SIGTERM", listener);
    },
  };
}

/** Resolves when a signal has come. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
