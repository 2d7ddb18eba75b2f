import type { Step } from "../../protocol/events.js";

/** Compares steps that are made again with what they were the first time. */
export class Repeated {
  private readonly before: Map<number, number | null>;
  private readonly count: number;
  private differs: number | null = null;

  /** @param steps as they were logged, all behind the checkpoint */
  constructor(steps: readonly Step[]) {
    this.before = new Map(steps.map(({ step, loss }) => [step, loss]));
    this.count = this.before.size;
  }

  /** @returns after the last of them how many there were, and the first whose loss has other bits */
  compare({ step, loss }: Step): { readonly steps: number; readonly differs: number | null } | undefined {
    if (!this.before.has(step)) return undefined;
    if (!Object.is(this.before.get(step), loss)) this.differs ??= step;
    this.before.delete(step);
    return this.before.size === 0 ? { steps: this.count, differs: this.differs } : undefined;
  }
}
