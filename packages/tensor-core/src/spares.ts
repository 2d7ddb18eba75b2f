import { type Place, type Recycle, Storage } from "./storage.js";

/**
 * Memory for the outputs of one plan that is run again and again: what the holders of a result let go of is used for the next result at the same
 * place, so that a loop that disposes of its results allocates nothing.
 */
export class Spares {
  private readonly device: Place;
  private readonly idle: Storage[][];
  private readonly recycle: readonly Recycle[];
  private closed = false;

  /** @param count outputs of the plan */
  constructor(device: Place, count: number) {
    this.device = device;
    this.idle = Array.from({ length: count }, () => []);
    this.recycle = this.idle.map((list) => (storage) => !this.closed && list.push(storage) > 0);
  }

  /** Memory for an output, used before or new; the caller is its holder. */
  take(output: number, bytes: number): Storage {
    return this.idle[output]!.pop()?.retain() ?? Storage.allocate(this.device, bytes, this.recycle[output]);
  }

  /** Gives back what is idle; what is in use goes back to the backend when it is let go of. */
  close(): void {
    this.closed = true;
    for (const list of this.idle) for (const storage of list.splice(0)) storage.retain().release();
  }
}
