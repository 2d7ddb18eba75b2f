/** Runs one thing after the other. */
export class Exclusive {
  private last: Promise<unknown> = Promise.resolve();

  run<T>(use: () => Promise<T>): Promise<T> {
    const result = this.last.then(use);
    this.last = result.catch(() => {});
    return result;
  }
}
