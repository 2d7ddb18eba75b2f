import { checkpointFiles, type Snapshot } from "@weft/training";
import type { Phase, Step } from "../../protocol/events.js";
import type { RunStore, StoredRun } from "../../store/run-store.js";

/** Between two writes of steps at least, in ms. */
const FLUSH_EVERY = 1000;

/** What is written of a run, one thing after the other. Without a store nothing is. */
export class RunRecord {
  private readonly store: RunStore | undefined;
  private stored: StoredRun;
  private waiting: Step[] = [];
  private flushed = performance.now();
  private last: Promise<unknown> = Promise.resolve();

  constructor(store: RunStore | undefined, stored: StoredRun) {
    this.store = store;
    this.stored = stored;
  }

  get isKept(): boolean {
    return this.store !== undefined;
  }

  /** Keeps a step, from time to time through to the disk. */
  add(step: Step): void {
    this.waiting.push(step);
    if (performance.now() - this.flushed >= FLUSH_EVERY) void this.flush().catch(() => undefined); // what fails is tried again with the next checkpoint
  }

  /** Writes the steps that wait. @throws what the store throws; they wait on then */
  flush(): Promise<void> {
    this.flushed = performance.now();
    return this.inTurn(async (store) => {
      const steps = this.waiting;
      if (steps.length === 0) return;
      await store.append(this.stored.id, steps);
      this.waiting = this.waiting.slice(steps.length);
    });
  }

  /** Writes where the run stands. */
  enter(phase: Phase, maxSteps: number, seconds: number): Promise<void> {
    this.stored = { ...this.stored, phase, maxSteps, seconds };
    return this.inTurn((store) => store.write(this.stored));
  }

  /** Writes a checkpoint, after the steps that led to it. @returns its bytes */
  async checkpoint(snapshot: Snapshot, trainBatchSize: number): Promise<number> {
    const files = await checkpointFiles(snapshot, { trainBatchSize });
    await this.flush();
    let bytes = 0;
    await this.inTurn(async (store) => void (bytes = await store.saveCheckpoint(this.stored.id, snapshot.position.step, files)));
    return bytes;
  }

  /** Files of a checkpoint by name. */
  async readCheckpoint(step: number): Promise<Map<string, Blob>> {
    return this.store!.readCheckpoint(this.stored.id, step);
  }

  async removeCheckpoint(step: number): Promise<void> {
    await this.inTurn((store) => store.removeCheckpoint(this.stored.id, step));
  }

  private inTurn(write: (store: RunStore) => Promise<void>): Promise<void> {
    const { store } = this;
    if (!store) return Promise.resolve();
    const result = this.last.then(() => write(store));
    this.last = result.catch(() => undefined);
    return result;
  }
}
