import { CapabilityError, ConfigError } from "@weft/tensor-core";
import type { RunSummary } from "../../protocol/commands.js";
import type { Config, Source } from "../../protocol/values.js";
import type { RunStore, StoredRun } from "../../store/run-store.js";
import { failureOf } from "../failure.js";
import { settingsOf } from "./settings.js";
import { type RunParts, TrainingRun } from "./training-run.js";

/** What runs need of the engine. */
export interface RunsParts extends Omit<RunParts, "stored" | "settings" | "open"> {
  readonly open: (source: Source) => ReturnType<RunParts["open"]>;
}

/** All runs: those of the disk, and those that were started since. */
export class Runs {
  private readonly parts: RunsParts;
  private readonly all = new Map<string, TrainingRun>();
  private restoring: Promise<void> | undefined;

  constructor(parts: RunsParts) {
    this.parts = parts;
  }

  /** @throws ConfigError kind `no-match` */
  get(id: string): TrainingRun {
    const run = this.all.get(id);
    if (run) return run;
    throw new ConfigError(`there is no run ${JSON.stringify(id)}`, { kind: "no-match" });
  }

  summaries(): RunSummary[] {
    return [...this.all.values()].map((run) => run.summary());
  }

  /** Starts a training. @throws CapabilityError kind `busy`; ConfigError for settings that are none */
  start(source: Source, config: Config, backend: string): TrainingRun {
    if ([...this.all.values()].some(({ isActive }) => isActive))
      throw new CapabilityError("a training is under way", { kind: "busy", hint: "wait for its end, or stop it" });
    const id = crypto.randomUUID();
    const run = this.know({ v: 1, id, createdAt: Date.now(), source, config, phase: "idle", maxSteps: 0, seconds: 0, backend });
    void run.run();
    return run;
  }

  /** Resolves when what is on the disk has been told, the first time that it is asked for. */
  restored(): Promise<void> {
    return (this.restoring ??= this.restore());
  }

  /** Pauses what is under way; resolves when where it stands is saved. */
  async rest(): Promise<void> {
    await Promise.all([...this.all.values()].map((run) => run.rest()));
  }

  /** A run that cannot be read is told of, and does not keep the others away. */
  private async restore(): Promise<void> {
    const { store, log } = this.parts;
    for (const stored of (await store?.list()) ?? []) {
      try {
        await this.know(stored).restore(store as RunStore);
      } catch (error) {
        const { kind, message } = failureOf(error);
        log.add({ run: null, type: "notice", kind, message: `a stored run cannot be read: ${message}` });
      }
    }
  }

  private know(stored: StoredRun): TrainingRun {
    const { open, ...parts } = this.parts;
    const run = new TrainingRun({ ...parts, stored, settings: settingsOf(stored.config), open: () => open(stored.source) });
    this.all.set(stored.id, run);
    return run;
  }
}
