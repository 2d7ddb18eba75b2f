import {
  afterOtherTasks,
  ConfigError,
  type Device,
  deviceOf,
  evaluate,
  flattenTree,
  type Tensor,
  throwIfAborted,
  type Tree,
} from "@weft/tensor-core";
import { type Batch, batchTensors, countTokens, type TrainingData } from "./batch.js";
import { type NamedParameter, namedParameters } from "./named-parameters.js";
import { firstState } from "./first-state.js";
import { firstScale, nextScale } from "./loss-scale.js";
import { type Settings, settingsOf } from "./options.js";
import { Plans } from "./plans.js";
import { type RankAllocation, rankAllocation } from "./ada-lora.js";
import { loraRegularizer } from "./lora-regularizer.js";
import type { EvaluationRecord, HistoryEntry, StepRecord, TrainingPosition } from "./record.js";
import { assertSameSettings, recordedSettings } from "./recorded-settings.js";
import type { Accumulated, StepResult, TrainState } from "./step.js";
import type { Snapshot, TrainingOptions } from "./training-options.js";
import type { Trainee } from "./trainee.js";

/** A training: an async iterable of steps, each of which runs when it is asked for. */
export class Training implements AsyncIterable<StepRecord> {
  readonly settings: Settings;
  private readonly trainee: Trainee;
  private readonly data: TrainingData;
  private readonly options: TrainingOptions;
  private readonly device: Device;
  private readonly named: readonly NamedParameter[];
  private readonly allocation: RankAllocation | undefined;
  private readonly plans: Plans;
  /** The log; it grows in place. */
  private readonly history: HistoryEntry[] = [];
  private state: TrainState;
  private position: TrainingPosition;
  private started = false;
  private stopping = false;
  private waiting: { readonly promise: Promise<void>; readonly go: () => void } | undefined;

  /** @throws ConfigError kinds `training-option`, `nothing-to-train`, `settings-changed` */
  constructor(trainee: Trainee, data: TrainingData, options: TrainingOptions = {}) {
    this.trainee = trainee;
    this.data = data;
    this.options = options;
    this.settings = settingsOf(options, data);
    const params = trainee.parameters();
    this.device = options.device ?? deviceOf([...trainee.baseModel.weights.values()]);
    this.named = namedParameters(trainee, params);
    this.allocation = rankAllocation(trainee);
    if (!options.allowChangedSettings)
      assertSameSettings(options.resume?.recorded, recordedSettings(this.settings, options.recordedSettings));
    this.state = firstState(params, this.named, this.settings, options.resume);
    const { position } = options.resume ?? {};
    this.position = {
      step: 0,
      epoch: 0,
      batchesInEpoch: 0,
      numInputTokensSeen: 0,
      bestLoss: null,
      bestStep: null,
      sinceBest: 0,
      ...position,
      history: this.history,
      lossScale: firstScale(trainee) && (position?.lossScale ?? firstScale(trainee)),
    };
    this.history.push(...(position?.history ?? []));
    options.signal?.addEventListener("abort", () => this.resume(), { once: true });
    const hooks = this.allocation ?? { keepsGradients: false, regularizer: loraRegularizer(trainee) };
    this.plans = new Plans(trainee, this.named, this.settings, hooks, this.device);
  }

  /** How many plans have been made: one for each shape of a batch and each kind of call, in its first step. */
  get traces(): number {
    return this.plans.traces;
  }

  /** Whether blocks are computed again in the backward pass. */
  get gradientCheckpointing(): "none" | "blocks" {
    return this.plans.checkpointing;
  }

  /** Holds the training after the step under way, until `resume`. */
  pause(): void {
    if (this.waiting) return;
    let go!: () => void;
    const promise = new Promise<void>((resolve) => (go = resolve));
    this.waiting = { promise, go };
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.waiting?.go();
    this.waiting = undefined;
  }

  /** Ends the training after the step under way; the parameters are those after it. */
  stop(): void {
    this.stopping = true;
    this.resume();
  }

  /** What a checkpoint has to hold, between two steps. */
  snapshot(): Snapshot {
    const averages = this.state.ema ? flattenTree(this.state.ema).leaves : [];
    return {
      trainee: this.trainee,
      settings: this.settings,
      position: this.position,
      optimizer: new Map(
        this.state.optimizer.flatMap((one, i) => Object.entries(one).map(([key, t]) => [`${key}.${this.named[i]!.name}`, t] as const)),
      ),
      parameters: new Map(flattenTree(this.state.params).leaves.map((t, i) => [this.named[i]!.name, t])),
      ema: new Map(averages.map((t, i) => [this.named[i]!.name, t])),
      method: this.allocation?.state() ?? new Map(),
      recorded: recordedSettings(this.settings, this.options.recordedSettings),
    };
  }

  /** Runs the training; it can be run once. @throws ConfigError for a second time */
  [Symbol.asyncIterator](): AsyncGenerator<StepRecord, void> {
    if (this.started)
      throw new ConfigError("a training runs once", {
        kind: "training-option",
        hint: "call train again; `resume` goes on from a checkpoint",
      });
    this.started = true;
    return this.run();
  }

  private async *run(): AsyncGenerator<StepRecord, void> {
    const { maxSteps, gradientAccumulationSteps } = this.settings;
    try {
      await this.allocation?.restore(this.options.resume?.method ?? new Map(), this.state.params);
      while (this.position.step < maxSteps) {
        const { epoch, batchesInEpoch: behind } = this.position;
        let [seen, kept, inEpoch] = [0, 0, 0];
        let micro: Batch[] = [];
        for await (const batch of batchesOf(this.data, epoch)) {
          if (inEpoch++ < behind) continue;
          micro.push(batch);
          if (micro.length < gradientAccumulationSteps) continue;
          const record = await this.step(micro, inEpoch);
          micro = [];
          seen++;
          kept += record.trainedTokens;
          yield record;
          if (record.ended || this.position.step >= maxSteps) return;
        }
        if (micro.length > 0) {
          const record = await this.step(micro, inEpoch);
          seen++;
          kept += record.trainedTokens;
          yield record;
          if (record.ended || this.position.step >= maxSteps) return;
        }
        if (inEpoch === 0)
          throw new ConfigError(`the data gave no batch in epoch ${epoch + 1}`, {
            kind: "no-data",
            hint: "a generator can be read once: give an array, or a function that begins anew for each epoch",
          });
        if (seen > 0 && kept === 0)
          throw new ConfigError(`nothing was trained in epoch ${epoch + 1}: no label of its batches is kept`, {
            kind: "nothing-to-train",
            hint: "labels of -100 are not trained: look at how the data is masked",
          });
        this.position = { ...this.position, epoch: epoch + 1, batchesInEpoch: 0 };
      }
    } finally {
      this.plans.dispose();
    }
  }

  /** One step of the optimiser over some batches, and what is due after it. */
  private async step(micro: readonly Batch[], batchesInEpoch: number): Promise<StepRecord> {
    const { signal } = this.options;
    await this.waiting?.promise;
    throwIfAborted(signal);
    const { settings, position } = this;
    const began = performance.now();
    const losses = this.history.flatMap((entry) => ("evalLoss" in entry ? [entry.evalLoss] : []));
    const [number, learningRate] = [position.step + 1, settings.rate(position.step, losses)];
    const { grads, report } = await this.scaledUpdate(micro, learningRate, number);
    const [loss, gradNorm, trainedTokens] = report;
    if (trainedTokens > 0 && !(Number.isFinite(loss) && Number.isFinite(gradNorm))) {
      this.show();
      throw new ConfigError(
        `step ${number}: the loss is ${loss} and the norm of the gradients ${gradNorm}, at a learning rate of ${learningRate}`,
        {
          kind: "non-finite-loss",
          hint: "the parameters are those of the step before; lower the learning rate, add warm-up, or look at the batch",
        },
      );
    }
    if (this.allocation && grads && trainedTokens > 0) {
      const params = await this.allocation.after(number, this.state.params, grads);
      await evaluate(...flattenTree(params).leaves);
      this.state = { ...this.state, params };
    }
    const tokens = micro.reduce((sum, batch) => sum + countTokens(batch), 0);
    const seconds = (performance.now() - began) / 1000;
    const { stepsPerEpoch, gradientAccumulationSteps } = settings;
    const epoch =
      stepsPerEpoch === undefined ? position.epoch : position.epoch + Math.ceil(batchesInEpoch / gradientAccumulationSteps) / stepsPerEpoch;
    const entry: HistoryEntry = { step: number, epoch, loss: trainedTokens > 0 ? loss : 0, gradNorm, learningRate };
    this.history.push(entry);
    this.position = {
      ...this.position,
      step: number,
      batchesInEpoch,
      numInputTokensSeen: position.numInputTokensSeen + tokens,
    };
    this.show();
    const isLast = number === settings.maxSteps;
    const due = (every: number | undefined): boolean => every !== undefined && (number % every === 0 || isLast);
    const endOfEpoch = stepsPerEpoch !== undefined && Number.isInteger(epoch);
    const evaluation =
      this.options.evalData && (settings.evalSteps === undefined ? endOfEpoch || isLast : due(settings.evalSteps))
        ? await this.evaluate(epoch)
        : undefined;
    const { earlyStoppingPatience: patience } = settings;
    const ended = this.stopping
      ? "stopped"
      : patience !== undefined && evaluation && this.position.sinceBest >= patience
        ? "no-improvement"
        : undefined;
    const samples = this.options.sample && due(settings.sampleSteps) ? await this.options.sample(number) : undefined;
    const checkpoint =
      this.options.save && (due(settings.saveSteps) || isLast || ended) ? await this.options.save(this.snapshot()) : undefined;
    const record: StepRecord = {
      step: number,
      epoch,
      loss: entry.loss,
      learningRate,
      gradNorm,
      trainedTokens,
      tokens,
      seconds,
      numInputTokensSeen: this.position.numInputTokensSeen,
      tokensPerSecond: tokens / seconds,
      ...(evaluation && { evaluation }),
      ...(samples && { samples }),
      ...(checkpoint !== undefined && { checkpoint }),
      ...(ended && { ended }),
    };
    this.options.onStep?.(record);
    return record;
  }

  /** A step; where its gradients are no numbers because the scale of the loss is too large, again with half of it. */
  private async scaledUpdate(
    micro: readonly Batch[],
    learningRate: number,
    number: number,
  ): Promise<{ readonly grads: StepResult["grads"]; readonly report: readonly [loss: number, gradNorm: number, weight: number] }> {
    for (;;) {
      const { report, grads } = await this.update(micro, learningRate, number);
      const values = (await report.data()) as unknown as [number, number, number];
      report.dispose();
      const { lossScale } = this.position;
      if (!lossScale) return { grads, report: values };
      const good = Number.isFinite(values[1]);
      const isTooLarge = !good && Number.isFinite(values[0]) && lossScale.value > 1;
      if (good || isTooLarge) this.position = { ...this.position, lossScale: nextScale(lossScale, good) };
      if (!isTooLarge) return { grads, report: values };
    }
  }

  /** Runs the plans of a step; the state is the next one. */
  private async update(micro: readonly Batch[], learningRate: number, number: number): Promise<StepResult> {
    await afterOtherTasks();
    const { device, settings } = this;
    const scalar = (x: number): Tensor => device.tensor(Float32Array.of(x), { shape: [] });
    const { lossScale } = this.position;
    const data = { lr: scalar(learningRate), step: scalar(number), scale: lossScale && scalar(lossScale.value) };
    const keyOf = (i: number): Tensor =>
      device.tensor(Int32Array.of(settings.seed, (number - 1) * settings.gradientAccumulationSteps + i), { shape: [2] });
    let result: StepResult;
    if (settings.gradientAccumulationSteps === 1) {
      const [batch, key] = [batchTensors(micro[0]!, device), keyOf(0)];
      const bound = await this.plans.step(this.state, batch, data, key);
      result = await bound(this.state, batch, data, key);
      disposeAll(batch, key);
    } else {
      let sum: Accumulated | null = null;
      for (const [i, one] of micro.entries()) {
        const [batch, key] = [batchTensors(one, device), keyOf(i)];
        const bound = await this.plans.accumulate(sum, this.state.params, batch, key, data.scale);
        sum = await bound(sum, this.state.params, batch, key, data.scale);
        disposeAll(batch, key);
      }
      const bound = await this.plans.apply(this.state, sum!, data);
      result = await bound(this.state, sum!, data);
    }
    disposeAll(data);
    this.state = result.state;
    return result;
  }

  /** The mean of the loss over the data of evaluations, without dropout. */
  private async evaluate(epoch: number): Promise<EvaluationRecord> {
    let [sum, weight] = [0, 0];
    const params = this.state.ema ?? this.state.params;
    for await (const one of batchesOf(this.options.evalData!, 0)) {
      await afterOtherTasks();
      throwIfAborted(this.options.signal);
      const batch = batchTensors(one, this.device);
      const bound = await this.plans.evaluate(params, batch);
      const found = await bound(params, batch);
      const [s, w] = (await found.data()) as unknown as [number, number];
      disposeAll(batch, found);
      sum += s;
      weight += w;
    }
    if (weight === 0) throw new ConfigError("evalData has no label that is kept", { kind: "no-data" });
    const loss = sum / weight;
    const { bestLoss, step, sinceBest } = this.position;
    const isBest = bestLoss === null || loss < bestLoss - this.settings.earlyStoppingThreshold;
    this.position = {
      ...this.position,
      ...(isBest ? { bestLoss: loss, bestStep: step, sinceBest: 0 } : { sinceBest: sinceBest + 1 }),
    };
    this.history.push({ step, epoch, evalLoss: loss });
    return { loss, perplexity: Math.exp(loss), weight, isBest };
  }

  /** The model has the parameters as they are now, or their running average. */
  private show(): void {
    this.trainee.setParameters(this.state.ema ?? this.state.params);
  }
}

/** The batches of an epoch. */
const batchesOf = (data: TrainingData, epoch: number): Iterable<Batch> | AsyncIterable<Batch> =>
  typeof data === "function" ? data(epoch) : data;

/** Lets go of tensors that were made for one call. */
function disposeAll(...trees: readonly Tree[]): void {
  for (const t of flattenTree(trees).leaves) t.dispose();
}

/**
 * Trains the parameters of a model: `for await (const record of train(peft, data, options)) …`. After each step the model has the values of that step. Each
 * shape of a batch has one plan, made in the first step with it; state is updated where it lies.
 * @param trainee a `PeftModel` with one active adapter, or `fullModel(model)`
 * @throws ConfigError kinds `training-option`, `nothing-to-train`, `settings-changed`; while it runs `no-data`, `bad-batch`, `non-finite-loss`, CapabilityError kind `training-memory`,
 * CancelledError
 */
export const train = (trainee: Trainee, data: TrainingData, options: TrainingOptions = {}): Training =>
  new Training(trainee, data, options);
