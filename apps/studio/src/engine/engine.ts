import { type Backend, type BackendStatistics, CapabilityError, ConfigError, type Device } from "@weft/tensor-core";
import * as v from "valibot";
import { type Answer, ANSWERS, type Command, COMMAND, type CommandType, type Reply } from "../protocol/commands.js";
import type { DeviceState } from "../protocol/values.js";
import type { StoredRun } from "../store/run-store.js";
import { Documents } from "./documents.js";
import { EventLog } from "./event-log.js";
import { failureOf } from "./failure.js";
import type { EngineHost } from "./host.js";
import { settingsOf } from "./runs/settings.js";
import { TrainingRun } from "./runs/training-run.js";
import { Turns } from "./turns.js";

type Handlers = { readonly [T in CommandType]: (command: Extract<Command, { type: T }>) => Promise<Answer<T>> | Answer<T> };

/** What is behind the pages: one device, what is open, and runs. It takes commands, answers each, and tells events. */
export class Engine {
  private readonly host: EngineHost;
  private readonly log: EventLog;
  private readonly turns = new Turns();
  private readonly documents: Documents;
  private readonly runs = new Map<string, TrainingRun>();
  private opened: Promise<Device> | undefined;
  private current: Device | undefined;
  private restored: Promise<void> | undefined;

  constructor(host: EngineHost) {
    this.host = host;
    this.documents = new Documents(host.tinyHome);
    this.log = new EventLog((event) => host.emit(event));
  }

  private readonly handlers: Handlers = {
    hello: async ({ since }) => {
      const device = deviceState(await this.device(), this.host.isolated);
      await (this.restored ??= this.restore());
      this.log.replay(since);
      return { device, documents: this.documents.list(), runs: [...this.runs.values()].map((run) => run.summary()), seq: this.log.seq };
    },
    open: async ({ source }) => ({ documents: (await this.documents.open(source, await this.device())).all }),
    start: async ({ source, config }) => {
      const { backend } = await this.device();
      if ([...this.runs.values()].some(({ isActive }) => isActive))
        throw new CapabilityError("a training is under way", { kind: "busy", hint: "wait for its end, or stop it" });
      const run = this.know({
        v: 1,
        id: crypto.randomUUID(),
        createdAt: Date.now(),
        source,
        config,
        phase: "idle",
        maxSteps: 0,
        seconds: 0,
        backend: backend.name,
      });
      void run.run();
      return { run: run.summary() };
    },
    pause: ({ run }) => (this.run(run).pause(), {}),
    resume: ({ run }) => (this.run(run).resume(), {}),
    stop: ({ run }) => (this.run(run).stop(), {}),
    checkpoint: ({ run }) => (this.run(run).save(), {}),
  };

  /** Answers a message, whatever it is. It never rejects. */
  async handle(message: unknown): Promise<Reply> {
    const read = v.safeParse(COMMAND, message);
    if (!read.success) {
      const [issue] = read.issues;
      const error = { kind: "protocol", message: `${v.getDotPath(issue) ?? "message"}: ${issue.message}`, hint: "reload the page" };
      return { v: 1, id: idOf(message), error };
    }
    const { id, type } = read.output;
    try {
      const handler = this.handlers[type] as (command: Command) => Promise<Answer<typeof type>> | Answer<typeof type>;
      return { v: 1, id, ok: v.parse(ANSWERS[type], await handler(read.output)) };
    } catch (error) {
      return { v: 1, id, error: failureOf(error) };
    }
  }

  /** Pauses what is under way; resolves when where it stands is saved. */
  async rest(): Promise<void> {
    await Promise.all([...this.runs.values()].map((run) => run.rest()));
  }

  /** A run with what it needs of this engine. @throws ConfigError for settings that are none */
  private know(stored: StoredRun): TrainingRun {
    const run = new TrainingRun({
      stored,
      settings: settingsOf(stored.config),
      store: this.host.store,
      log: this.log,
      turns: this.turns,
      open: async () => {
        const device = await this.device();
        return { device, ...(await this.documents.open(stored.source, device)) };
      },
      usedBytes: () => (this.current ? usedBytes(this.current) : 0),
    });
    this.runs.set(stored.id, run);
    return run;
  }

  /** What is on the disk from before. A run that cannot be read is told of, and does not keep the others away. */
  private async restore(): Promise<void> {
    const { store } = this.host;
    for (const stored of (await store?.list()) ?? []) {
      try {
        await this.know(stored).restore(store!);
      } catch (error) {
        const { kind, message } = failureOf(error);
        this.log.add({ run: null, type: "notice", kind, message: `a stored run cannot be read: ${message}` });
      }
    }
  }

  private device(): Promise<Device> {
    return (this.opened ??= this.host.openDevice().then((device) => (this.current = device)));
  }

  private run(id: string): TrainingRun {
    const run = this.runs.get(id);
    if (run) return run;
    throw new ConfigError(`there is no run ${JSON.stringify(id)}`, { kind: "no-match" });
  }
}

/** What a device holds; 0 of one that does not tell. */
function usedBytes({ backend }: Device): number {
  return (backend as Backend & { statistics?(): BackendStatistics }).statistics?.().usedBytes ?? 0;
}

function deviceState(device: Device, isolated: boolean): DeviceState {
  const { backend } = device;
  return {
    backend: backend.name,
    threads: backend.capabilities.threads ?? 0,
    isolated,
    bytes: usedBytes(device),
  };
}

/** The id of a message that is no command, if it has one. */
function idOf(message: unknown): string {
  const { id } = (message ?? {}) as { readonly id?: unknown };
  return typeof id === "string" && /^[\w-]{1,64}$/.test(id) ? id : "none";
}
