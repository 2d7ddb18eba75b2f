import type { Step } from "../protocol/events.js";
import type { RunStore, StoredRun } from "../store/run-store.js";

/** Runs in memory, which a test can change as a killed tab would have left them. */
export class MemoryRunStore implements RunStore {
  readonly runs = new Map<string, StoredRun>();
  readonly metrics = new Map<string, Step[]>();
  readonly files = new Map<string, Map<number, ReadonlyMap<string, Blob>>>();
  /** Checkpoints fail from now on, as on a disk that is full. */
  full = false;

  async list(): Promise<StoredRun[]> {
    return [...this.runs.values()];
  }
  async write(run: StoredRun): Promise<void> {
    this.runs.set(run.id, run);
  }
  async append(id: string, steps: readonly Step[]): Promise<void> {
    this.metrics.set(id, [...(this.metrics.get(id) ?? []), ...steps]);
  }
  async steps(id: string): Promise<Step[]> {
    return this.metrics.get(id) ?? [];
  }
  async saveCheckpoint(id: string, step: number, files: ReadonlyMap<string, Blob>): Promise<number> {
    if (this.full) throw new DOMException("full", "QuotaExceededError");
    this.files.set(id, new Map([...(this.files.get(id) ?? []), [step, files]]));
    return 1;
  }
  async checkpoints(id: string): Promise<number[]> {
    return [...(this.files.get(id) ?? new Map<number, unknown>()).keys()].toSorted((a, b) => a - b);
  }
  async readCheckpoint(id: string, step: number): Promise<Map<string, Blob>> {
    return new Map(this.files.get(id)!.get(step)!);
  }
  async removeCheckpoint(id: string, step: number): Promise<void> {
    this.files.get(id)?.delete(step);
  }
}
