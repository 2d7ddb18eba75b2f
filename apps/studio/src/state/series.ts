import { type Signal, signal } from "@preact/signals";
import type { Step } from "../protocol/events.js";

/** What is drawn of each step. */
export const COLUMNS = ["loss", "lr", "gradNorm", "tokPerS", "bytes"] as const;
/** A column of {@link COLUMNS}. */
export type Column = (typeof COLUMNS)[number];

/** All steps of a run in growing arrays; whoever draws them watches `version`. A loss that was no number is NaN. */
export class Series {
  readonly version: Signal<number> = signal(0);
  private capacity = 1024;
  private count = 0;
  private steps = new Float64Array(this.capacity);
  private readonly columns = new Map(COLUMNS.map((name) => [name, new Float64Array(this.capacity)]));

  get length(): number {
    return this.count;
  }

  /** Numbers of the steps. */
  x(): Float64Array {
    return this.steps.subarray(0, this.count);
  }

  /** Values of a column, one for each step. */
  y(column: Column): Float64Array {
    return this.columns.get(column)!.subarray(0, this.count);
  }

  /** Adds steps; those that were made again replace what came before. */
  add(steps: readonly Step[]): void {
    for (const one of steps) {
      while (this.count > 0 && this.steps[this.count - 1]! >= one.step) this.count--;
      if (this.count === this.capacity) this.grow();
      this.steps[this.count] = one.step;
      for (const name of COLUMNS) this.columns.get(name)![this.count] = one[name] ?? NaN;
      this.count++;
    }
    this.version.value++;
  }

  private grow(): void {
    this.capacity *= 2;
    const grown = (old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const wider = new Float64Array(this.capacity);
      wider.set(old);
      return wider;
    };
    this.steps = grown(this.steps);
    for (const name of COLUMNS) this.columns.set(name, grown(this.columns.get(name)!));
  }
}
