/** Uses of the device one after the other, first come, first served: between two steps of a training whoever waits has a turn. */
export class Turns {
  private last: Promise<unknown> = Promise.resolve();

  /** Runs when those before are done. */
  take<T>(use: () => Promise<T>): Promise<T> {
    const result = this.last.then(use);
    this.last = result.catch(() => undefined);
    return result;
  }
}
