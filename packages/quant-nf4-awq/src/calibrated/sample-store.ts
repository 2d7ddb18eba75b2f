/** Where something of each sample is kept while others have their turn: on a disk, say, so that memory does not grow with their number. */
export interface SampleStore {
  /** Keeps bytes for a sample, in place of those before. They may be changed once this has resolved. */
  put(sample: number, bytes: Uint8Array): void | Promise<void>;
  get(sample: number): Uint8Array | Promise<Uint8Array>;
  /** Nothing of it is asked for any more. */
  close(): void | Promise<void>;
}
