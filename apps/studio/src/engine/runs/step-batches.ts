import type { Step } from "../../protocol/events.js";

/** Between two events of steps at least, in ms: ten a second. */
const EVERY = 100;

/** Steps in batches, ten a second at most; none is dropped. */
export class StepBatches {
  private readonly send: (steps: readonly Step[]) => void;
  private waiting: Step[] = [];
  private sent = -Infinity;

  constructor(send: (steps: readonly Step[]) => void) {
    this.send = send;
  }

  add(step: Step): void {
    this.waiting.push(step);
    if (performance.now() - this.sent >= EVERY) this.flush();
  }

  /** Sends what waits: before every change of the run's state. */
  flush(): void {
    if (this.waiting.length === 0) return;
    const steps = this.waiting;
    this.waiting = [];
    this.sent = performance.now();
    this.send(steps);
  }
}
