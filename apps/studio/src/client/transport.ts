/** How messages reach the engine: a worker, or a server on loopback. */
export interface Transport {
  send(message: unknown, transfer?: readonly Transferable[]): void;
  /** Takes what comes, and a failure of the way itself. */
  listen(message: (data: unknown) => void, failed: (reason: string) => void): void;
}
