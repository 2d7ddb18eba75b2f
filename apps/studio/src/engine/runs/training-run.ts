import { adapterConfig, epochsFrom, type FineTuningSettings, sampleTexts, trainable, trainingOptions } from "@weft/fine-tuning";
import type { AdaptedCausalLM } from "@weft/generation";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel, type PeftModel } from "@weft/registry";
import { type StepRecord, train, type Training } from "@weft/training";
import type { RunSummary } from "../../protocol/commands.js";
import type { NewEvent, Phase } from "../../protocol/events.js";
import type { Config, Failure } from "../../protocol/values.js";
import type { OpenData, OpenModel } from "../documents.js";
import { examplesOf } from "../documents.js";
import type { EventLog } from "../event-log.js";
import { failureOf } from "../failure.js";
import type { Turns } from "../turns.js";
import { isLive, mayFollow, NEW_RUN, reduce, type RunState } from "./reduce.js";
import { StepBatches } from "./step-batches.js";

/** What a run is made of. */
export interface RunParts {
  readonly id: string;
  readonly model: OpenModel;
  readonly data: OpenData;
  /** As it was sent, and what it means. */
  readonly config: Config;
  readonly settings: FineTuningSettings;
  readonly log: EventLog;
  readonly turns: Turns;
  /** Of the device, at this time. */
  readonly usedBytes: () => number;
}

type OwnEvent<E> = E extends { run: unknown } ? Omit<E, "run"> : never;

const finite = (x: number): number | null => (Number.isFinite(x) ? x : null);

/** A training with its states: it goes step by step, and between steps others have their turn. */
export class TrainingRun {
  private readonly parts: RunParts;
  private readonly steps: StepBatches;
  private current: RunState = NEW_RUN;
  private wish: "run" | "pause" | "stop" = "run";
  private wake: (() => void) | undefined;

  constructor(parts: RunParts) {
    this.parts = parts;
    this.steps = new StepBatches((steps) => this.tell({ type: "steps", steps: [...steps] }));
  }

  get state(): RunState {
    return this.current;
  }

  summary(): RunSummary {
    const { id, model, data, config } = this.parts;
    const { phase, step, maxSteps } = this.current;
    return { id, model: model.document.id, data: data.document.id, config, phase, step, maxSteps };
  }

  /** Holds it after the step under way. */
  pause(): void {
    if (this.wish === "run" && mayFollow(this.current.phase, "pausing")) this.want("pause", "pausing");
  }

  /** Goes on after `pause`. */
  resume(): void {
    if (this.wish === "pause") this.want("run", undefined);
  }

  /** Ends it after the step under way. */
  stop(): void {
    if (isLive(this.current.phase) && this.wish !== "stop") this.want("stop", "stopping");
  }

  /** Trains to the end. It never rejects: a failure is an event. */
  async run(): Promise<void> {
    this.enter("preparing");
    try {
      const training = await this.prepare();
      this.enter(this.wish === "stop" ? "stopping" : "running", training.settings.maxSteps);
      await this.steppingThrough(training);
      if (this.current.phase === "running" || this.current.phase === "pausing" || this.current.phase === "stopping") this.enter("finished");
    } catch (error) {
      this.enter("failed", this.current.maxSteps, failureOf(error));
    }
  }

  private async prepare(): Promise<Training> {
    const { model, data, settings, turns } = this.parts;
    const { base, files, document } = model;
    const examples = trainable(await examplesOf(data, model, settings));
    const peft = (await turns.take(() =>
      getPeftModel(base, adapterConfig(settings, document.name, ADAPTER_METHODS), { methods: ADAPTER_METHODS, seed: settings.seed }),
    )) as PeftModel<never, unknown>;
    const { samplePrompts } = settings;
    const sample = async (step: number): Promise<string[]> => {
      const asked = step === 0 ? base : (peft as unknown as AdaptedCausalLM);
      const texts = await sampleTexts(asked, samplePrompts, files, { seed: settings.seed });
      texts.forEach((text, i) =>
        this.tell({ type: "sample", step, prompt: samplePrompts[i]!, text: text.slice(samplePrompts[i]!.length) }),
      );
      return texts;
    };
    if (samplePrompts.length > 0) await turns.take(() => sample(0));
    return train(peft, epochsFrom(examples, settings, 0), {
      ...trainingOptions(settings),
      ...(samplePrompts.length > 0 && { sample, sampleSteps: settings.sampleSteps ?? Number.MAX_SAFE_INTEGER }),
    });
  }

  private async steppingThrough(training: Training): Promise<void> {
    const steps = training[Symbol.asyncIterator]();
    try {
      for (;;) {
        if (this.wish === "pause") await this.held();
        if (this.wish === "stop") return;
        const { done, value } = await this.parts.turns.take(() => steps.next());
        if (done) return;
        this.record(value);
      }
    } finally {
      this.steps.flush();
      await steps.return();
    }
  }

  private record({ step, loss, learningRate, gradNorm, trainedTokens, tokensPerSecond, evaluation }: StepRecord): void {
    this.steps.add({
      step,
      loss: finite(loss),
      lr: learningRate,
      gradNorm: finite(gradNorm),
      tokens: trainedTokens,
      tokPerS: tokensPerSecond,
      bytes: this.parts.usedBytes(),
    });
    if (evaluation) this.tell({ type: "eval", step, loss: finite(evaluation.loss), isBest: evaluation.isBest });
  }

  /** Resolves when it is to go on or to end. */
  private async held(): Promise<void> {
    this.enter("paused");
    await new Promise<void>((resolve) => (this.wake = resolve));
    if (this.wish === "run") this.enter("running");
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
  }

  private tell(event: OwnEvent<NewEvent>): void {
    const { log, id } = this.parts;
    this.current = reduce(this.current, log.add({ run: id, ...event } as NewEvent));
  }
}
