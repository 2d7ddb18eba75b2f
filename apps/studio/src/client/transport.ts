/** How messages reach the engine: a worker, or a server on loopback. */
export interface Transport {
  send(message: unknown, transfer?: readonly Transferable[]): void;
  /** Hands a file over, under an id by which commands that are sent afterwards name it. @throws if it does not arrive */
  put(id: string, file: Blob): void | Promise<void>;
  /**
   * Takes what comes, and a failure of the way itself.
   * @param gone told while nobody answers at the other end, with the seconds until it is tried again, and without when somebody answers again
   */
  listen(message: (data: unknown) => void, failed: (reason: string) => void, gone: (seconds: number | undefined) => void): void;
}
