import { type FineTuningSettings, sampleTexts } from "@weft/fine-tuning";
import type { AdaptedCausalLM } from "@weft/generation";
import type { PeftModel } from "@weft/registry";
import type { Device } from "@weft/tensor-core";
import type { StepRecord, Training } from "@weft/training";
import type { RunSummary } from "../../protocol/commands.js";
import type { NewEvent, Phase, Step } from "../../protocol/events.js";
import type { Failure } from "../../protocol/values.js";
import type { RunStore, StoredRun } from "../../store/run-store.js";
import type { OpenData, OpenModel } from "../documents/opened.js";
import type { EncodedData } from "../examples.js";
import type { EventLog } from "../event-log.js";
import { failureOf } from "../failure.js";
import type { Turns } from "../turns.js";
import { prepareTraining } from "./prepare.js";
import { isLive, mayFollow, NEW_RUN, reduce, type RunState } from "./reduce.js";
import { Repeated } from "./repeated.js";
import { RunRecord } from "./run-record.js";
import { StepBatches } from "./step-batches.js";

/** Work after which a checkpoint is written unasked, in ms. */
const AUTOSAVE = 20_000;

/** What a run needs of the engine. */
export interface RunParts {
  /** As it was stored, or will be. */
  readonly stored: StoredRun;
  readonly settings: FineTuningSettings;
  readonly store: RunStore | undefined;
  readonly log: EventLog;
  readonly turns: Turns;
  readonly open: () => Promise<{ readonly device: Device; readonly model: OpenModel; readonly data: OpenData }>;
  readonly encode: (data: OpenData, model: OpenModel, settings: FineTuningSettings) => Promise<EncodedData>;
  /** Of the device, at this time. */
  readonly usedBytes: () => number;
}

type OwnEvent<E> = E extends { run: unknown } ? Omit<E, "run"> : never;

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

/** A training with its states: it goes step by step, and between steps others have their turn. */
export class TrainingRun {
  private readonly parts: RunParts;
  private readonly steps: StepBatches;
  private readonly record: RunRecord;
  private current: RunState = NEW_RUN;
  private wish: "run" | "pause" | "stop" = "run";
  private wake: (() => void) | undefined;
  /** Called when it has come to a rest or to its end. */
  private settled: () => void = () => undefined;
  /** It is in this process, and not only on the disk. */
  private active = false;
  private saved = { step: 0, at: 0 };
  private saveAsked = false;
  /** An autosave that the next one replaces. */
  private autosaved: number | undefined;
  private repeated: Repeated | undefined;

  constructor(parts: RunParts) {
    this.parts = parts;
    this.record = new RunRecord(parts.store, parts.stored);
    this.steps = new StepBatches((steps) => this.tell({ type: "steps", steps: [...steps] }));
  }

  get state(): RunState {
    return this.current;
  }

  get isActive(): boolean {
    return this.active;
  }

  summary(): RunSummary {
    const { id, createdAt, source, config } = this.parts.stored;
    const { phase, step, maxSteps } = this.current;
    return { id, createdAt, source, config, phase, step, maxSteps };
  }

  /** Tells what the disk has of it: one that was under way stands at its last checkpoint. */
  async restore(store: RunStore): Promise<void> {
    const { id, phase, maxSteps, seconds } = this.parts.stored;
    const made = [...new Map((await store.steps(id)).map((step) => [step.step, step])).values()].toSorted((a, b) => a.step - b.step);
    const checkpoints = await store.checkpoints(id);
    const [last, checkpoint] = [made.at(-1)?.step ?? 0, checkpoints.at(-1) ?? 0];
    const over = !isLive(phase) && phase !== "idle";
    this.tell({ type: "state", phase: over ? phase : "paused", step: last, maxSteps, at: Date.now(), seconds });
    if (made.length > 0) this.tell({ type: "steps", steps: made });
    for (const step of checkpoints) this.tell({ type: "checkpoint", step, bytes: 0 });
    if (over || last <= checkpoint) return;
    this.tell({ type: "recovered", step: last, checkpoint });
    this.repeated = new Repeated(made.filter(({ step }) => step > checkpoint));
  }

  /** Holds it after the step under way. */
  pause(): void {
    if (this.wish === "run" && mayFollow(this.current.phase, "pausing")) this.want("pause", "pausing");
  }

  /** Pauses it; resolves when it is saved, or over. */
  async rest(): Promise<void> {
    this.pause();
    while (this.active && this.current.phase !== "paused") await new Promise<void>((resolve) => (this.settled = resolve));
  }

  /** Goes on after `pause`, or from its last checkpoint. */
  resume(): void {
    if (this.active) {
      if (this.wish === "pause") this.want("run", undefined);
    } else if (this.current.phase === "paused") void this.run();
  }

  /** Ends it after the step under way. */
  stop(): void {
    if (!isLive(this.current.phase) || this.wish === "stop") return;
    if (this.active) this.want("stop", "stopping");
    else this.enter("finished");
  }

  /** Writes a checkpoint as soon as the step under way is done. */
  save(): void {
    this.saveAsked = true;
  }

  /** Trains to the end. It never rejects: a failure is an event. */
  async run(): Promise<void> {
    this.active = true;
    this.wish = "run";
    this.enter("preparing");
    try {
      const training = await this.prepare();
      this.saved = { step: this.current.step, at: performance.now() };
      this.begin(training.settings.maxSteps);
      await this.steppingThrough(training);
      await this.checkpoint(training);
      this.enter("finished");
    } catch (error) {
      await this.record.flush().catch(() => undefined);
      this.enter("failed", this.current.maxSteps, failureOf(error));
    } finally {
      this.active = false;
      this.settled();
    }
  }

  private async prepare(): Promise<Training> {
    const { settings, turns } = this.parts;
    const { device, model, data } = await this.parts.open();
    const from = this.current.checkpoints.at(-1);
    const checkpoint = from === undefined ? undefined : await this.record.readCheckpoint(from);
    const { samplePrompts: prompts, seed } = settings;
    const sample = async (asked: PeftModel<never, unknown> | undefined, step: number): Promise<string[]> => {
      const texts = await sampleTexts((asked as unknown as AdaptedCausalLM) ?? model.base, prompts, model.files, { seed });
      texts.forEach((text, i) => this.tell({ type: "sample", step, prompt: prompts[i]!, text: text.slice(prompts[i]!.length) }));
      return texts;
    };
    // One that goes on tells the beginning again: samples are not stored.
    if (prompts.length > 0 && this.current.samples.length === 0) await turns.take(() => sample(undefined, 0));
    const encoded = await this.parts.encode(data, model, settings);
    return turns.take(() => prepareTraining({ device, model, encoded, settings, checkpoint, sample }));
  }

  private async steppingThrough(training: Training): Promise<void> {
    const steps = training[Symbol.asyncIterator]();
    try {
      for (;;) {
        if (this.wish === "pause") await this.held(training);
        if (this.wish === "stop") return;
        const { done, value } = await this.parts.turns.take(() => steps.next());
        if (done) return;
        this.keep(value);
        await this.saveIfDue(training, value.step);
      }
    } finally {
      this.steps.flush();
      await steps.return();
    }
  }

  private keep({ step, loss, learningRate, gradNorm, trainedTokens, tokensPerSecond, evaluation }: StepRecord): void {
    const kept: Step = {
      step,
      loss: finite(loss),
      lr: learningRate,
      gradNorm: finite(gradNorm),
      tokens: trainedTokens,
      tokPerS: tokensPerSecond,
      bytes: this.parts.usedBytes(),
    };
    this.steps.add(kept);
    this.record.add(kept);
    if (evaluation) this.tell({ type: "eval", step, loss: finite(evaluation.loss), isBest: evaluation.isBest });
    const verified = this.repeated?.compare(kept);
    if (!verified) return;
    this.repeated = undefined;
    this.tell({ type: "verified", ...verified });
  }

  /** Checkpoints that were asked for, are due by the settings, or have not been for a while. @param step that was made last: what is told of steps may lag behind */
  private async saveIfDue(training: Training, step: number): Promise<void> {
    const byTime = performance.now() - this.saved.at >= AUTOSAVE;
    const planned = step % this.parts.settings.saveSteps === 0;
    if (!byTime && !planned && !this.saveAsked) return;
    this.saveAsked = false;
    const before = this.autosaved;
    if (!(await this.checkpoint(training))) return this.pause();
    this.autosaved = planned ? undefined : step;
    if (before !== undefined && before !== step) await this.record.removeCheckpoint(before).catch(() => undefined); // swept another time
  }

  /** Writes a checkpoint of where it stands, unless there is one. @returns false if there is no room: nothing was overwritten */
  private async checkpoint(training: Training): Promise<boolean> {
    this.steps.flush();
    const { step } = training.snapshot().position;
    if (!this.record.isKept || step === 0 || step === this.saved.step) return true;
    this.saved = { step, at: performance.now() };
    try {
      const bytes = await this.record.checkpoint(training.snapshot(), this.parts.settings.perDeviceTrainBatchSize);
      this.tell({ type: "checkpoint", step, bytes });
      return true;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "QuotaExceededError")) throw error;
      this.tell({ type: "notice", kind: "storage-full", message: `No space for checkpoint ${step}; nothing overwritten, run paused.` });
      return false;
    }
  }

  /** Resolves when it is to go on or to end. */
  private async held(training: Training): Promise<void> {
    await this.checkpoint(training);
    this.enter("paused");
    this.settled();
    await new Promise<void>((resolve) => (this.wake = resolve));
    // A pause is no work that could be lost.
    this.saved = { ...this.saved, at: performance.now() };
    if (this.wish === "run") this.enter("running");
  }

  /** What was wished for while it was prepared holds. */
  private begin(maxSteps: number): void {
    this.enter(({ run: "running", pause: "pausing", stop: "stopping" } as const)[this.wish], maxSteps);
  }

  private want(wish: "run" | "pause" | "stop", phase: Phase | undefined): void {
    this.wish = wish;
    if (phase && mayFollow(this.current.phase, phase)) this.enter(phase);
    this.wake?.();
    this.wake = undefined;
  }

  private enter(phase: Phase, maxSteps = this.current.maxSteps, failure?: Failure): void {
    this.steps.flush();
    this.tell({ type: "state", phase, step: this.current.step, maxSteps, at: Date.now(), ...(failure && { failure }) });
    void this.record.enter(phase, maxSteps, this.current.seconds).catch(() => undefined); // what counts is in checkpoints and steps
  }

  private tell(event: OwnEvent<NewEvent>): void {
    const { log, stored } = this.parts;
    this.current = reduce(this.current, log.add({ run: stored.id, ...event } as NewEvent));
  }
}
