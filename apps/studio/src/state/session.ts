import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals";
import { EngineClient, EngineError } from "../client/engine-client.js";
import type { Transport } from "../client/transport.js";
import { isLive, NEW_RUN, reduce, type RunState } from "../engine/runs/reduce.js";
import type { RunSummary } from "../protocol/commands.js";
import type { EngineEvent } from "../protocol/events.js";
import type { Inspection, LensAnswer, Plan, Refused } from "../protocol/answers.js";
import type { Config, DeviceState, Failure, OpenedDocument, Source } from "../protocol/values.js";
import type { PickedFile } from "../files/picked-file.js";
import { Draft } from "./draft.js";
import { Series } from "./series.js";

/** A run in this page. */
export interface PageRun {
  readonly id: string;
  readonly state: Signal<RunState>;
  readonly series: Series;
  /** What it was started with; undefined until the engine has told. */
  readonly summary: Signal<RunSummary | undefined>;
}

/** How much was read of a file, in bytes. */
export interface Reading {
  readonly what: string;
  readonly done: number;
  readonly total: number;
}

/** What the page knows: it follows the engine by its events, and changes nothing by itself. */
export class Session {
  /** Undefined until the engine has answered. */
  readonly device: Signal<DeviceState | undefined> = signal(undefined);
  readonly documents: Signal<readonly OpenedDocument[]> = signal([]);
  readonly runs: Signal<ReadonlyMap<string, PageRun>> = signal(new Map());
  /** The run that is shown. */
  readonly current: Signal<string | undefined> = signal(undefined);
  /** What the engine last had to say. */
  readonly notice: Signal<string | undefined> = signal(undefined);
  /** A failure that no screen has a place for. */
  readonly failure: Signal<Failure | undefined> = signal(undefined);
  readonly run: ReadonlySignal<PageRun | undefined> = computed(() => this.runs.value.get(this.current.value ?? ""));
  /** What the next training is set to. */
  readonly draft: Draft = new Draft(this.documents);
  /** The document that is inspected. */
  readonly inspected: Signal<string | undefined> = signal(undefined);
  /** How much was read of what is being opened. */
  readonly reading: Signal<Reading | undefined> = signal(undefined);
  /** Whether the engine is this tab's; others follow it. */
  readonly leads: Signal<boolean> = signal(true);
  /** Seconds until a server that does not answer is tried again. */
  readonly retryIn: Signal<number | undefined> = signal(undefined);
  private client: EngineClient | undefined;
  /** Number of the last event: what is told again to others is not taken twice. */
  private seen = 0;
  /** Of an engine that has not answered yet: what it tells anew and what it tells others can come in any order. */
  private early: EngineEvent[] | undefined;

  /** Greets an engine, which knows all that is shown. */
  async connect(transport: Transport, leads: boolean): Promise<void> {
    this.seen = 0;
    const early: EngineEvent[] = (this.early = []);
    this.runs.value = new Map();
    this.current.value = undefined;
    this.leads.value = leads;
    this.device.value = undefined;
    this.client = new EngineClient(
      transport,
      (event) => this.take(event),
      (failure) => (this.failure.value = failure),
      (seconds) => (this.retryIn.value = seconds),
    );
    const { device, documents, runs } = await this.client.send("hello", { since: 0 });
    // Another engine may have been greeted since.
    if (this.early !== early) return;
    this.early = undefined;
    for (const event of early.toSorted((a, b) => a.seq - b.seq)) this.take(event);
    this.device.value = device;
    this.documents.value = documents;
    for (const run of runs) this.know(run);
    this.current.value = runs.at(-1)?.id;
  }

  async openTiny(): Promise<void> {
    const { documents } = await this.engine().send("open", { source: { tiny: "llama" } });
    this.documents.value = documents;
    this.choose(documents.map(({ id }) => id));
  }

  /** Hands files over and opens what they hold. @returns what could not be opened */
  async openFiles(files: readonly PickedFile[]): Promise<readonly Refused[]> {
    const engine = this.engine();
    const put: { file: string; path: string }[] = [];
    for (const { path, file } of files) put.push({ file: await engine.put(file), path });
    try {
      const { documents, opened, refused } = await engine.send("open", { source: { files: put } });
      this.documents.value = documents;
      this.choose(opened);
      return refused;
    } finally {
      this.reading.value = undefined;
    }
  }

  async close(document: string): Promise<void> {
    this.documents.value = (await this.engine().send("close", { document })).documents;
  }

  inspect(document: string): Promise<Inspection> {
    return this.engine().send("inspect", { document });
  }

  /** What would be learnt of some examples, and of all. */
  lens(source: Source, config: Config, from: number, count: number): Promise<LensAnswer> {
    return this.engine().send("lens", { source, config, from, count });
  }

  /** What a training would take. */
  plan(source: Source, config: Config): Promise<Plan> {
    return this.engine().send("plan", { source, config });
  }

  /** What was opened last is what is trained next. */
  private choose(ids: readonly string[]): void {
    for (const { id, kind } of this.documents.value) {
      if (!ids.includes(id)) continue;
      if (kind === "model") this.draft.model.value = id;
      if (kind === "data") this.draft.data.value = id;
    }
  }

  /** Starts a training, and shows it. */
  async start(source: Source, config: Config): Promise<void> {
    const { run } = await this.engine().send("start", { source, config });
    this.know(run);
    this.current.value = run.id;
    this.draft.isShown.value = false;
  }

  pause(run: string): Promise<unknown> {
    return this.engine().send("pause", { run });
  }

  resume(run: string): Promise<unknown> {
    return this.engine().send("resume", { run });
  }

  stop(run: string): Promise<unknown> {
    return this.engine().send("stop", { run });
  }

  /** Saves where a run stands. */
  save(run: string): Promise<unknown> {
    return this.engine().send("checkpoint", { run });
  }

  /** Whether a training is under way: one that is paused may be on the disk alone. */
  readonly isBusy: ReadonlySignal<boolean> = computed(() =>
    [...this.runs.value.values()].some(({ state: { value } }) => isLive(value.phase) && value.phase !== "paused"),
  );

  /** Runs what a person asked for; a failure is shown. */
  async attempt(action: () => Promise<unknown>): Promise<boolean> {
    this.failure.value = undefined;
    try {
      await action();
      return true;
    } catch (error) {
      this.failure.value = error instanceof EngineError ? error.failure : { kind: "internal", message: (error as Error).message };
      return false;
    }
  }

  private engine(): EngineClient {
    if (!this.client) throw new Error("the engine has not started yet");
    return this.client;
  }

  private know(summary: Pick<RunSummary, "id"> & Partial<RunSummary>): PageRun {
    const { id } = summary;
    const known = this.runs.value.get(id);
    if (known) {
      known.summary.value = summary as RunSummary;
      return known;
    }
    const run: PageRun = {
      id,
      state: signal(NEW_RUN),
      series: new Series(),
      summary: signal("source" in summary ? (summary as RunSummary) : undefined),
    };
    this.runs.value = new Map([...this.runs.value, [id, run]]);
    this.current.value ??= id;
    return run;
  }

  private take(event: EngineEvent): void {
    if (this.early) return void this.early.push(event);
    if (event.seq <= this.seen) return;
    this.seen = event.seq;
    if (event.type === "notice") this.notice.value = event.message;
    if (event.type === "progress") this.reading.value = { what: event.what, done: event.done, total: event.total };
    if (event.type === "device") this.device.value = event.device;
    if (event.run === null) return;
    // The first events of a run come before the answer that names it.
    const run = this.runs.value.get(event.run) ?? this.know({ id: event.run });
    run.state.value = reduce(run.state.value, event);
    if (event.type === "steps") run.series.add(event.steps);
  }
}
