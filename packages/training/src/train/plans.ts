import type { AdapterParameters } from "@weft/registry";
import {
  type BoundCall,
  CapabilityError,
  compile,
  type CompiledFunction,
  type Device,
  flattenTree,
  type Tensor,
  type Tree,
} from "@weft/tensor-core";
import type { BatchTensors } from "../objectives/objective.js";
import { checkpointBlocks } from "./checkpoint-blocks.js";
import type { NamedParameter } from "./named-parameters.js";
import type { Settings } from "./options.js";
import { type PlanNeeds, planNeeds } from "./plan-needs.js";
import { type Accumulated, type MethodHooks, type StepData, stepFunctions, type StepResult, type TrainState } from "./step.js";
import type { Trainee } from "./trainee.js";

type StepArgs = [state: TrainState, batch: BatchTensors, data: StepData, key: Tensor];
type AccumulateArgs = [before: Accumulated | null, params: AdapterParameters, batch: BatchTensors, key: Tensor, scale: Tensor | null];
type ApplyArgs = [state: TrainState, accumulated: Accumulated, data: StepData];
type EvaluateArgs = [params: AdapterParameters, batch: BatchTensors];

/** A function of a training as it is and compiled, with the arguments whose memory it takes over. */
interface Part<A extends readonly Tree[], R extends Tree> {
  readonly fn: (...args: A) => R;
  readonly compiled: CompiledFunction<A, R>;
  readonly donate: readonly number[];
}

interface Parts {
  readonly step: Part<StepArgs, StepResult>;
  readonly accumulate: Part<AccumulateArgs, Accumulated>;
  readonly apply: Part<ApplyArgs, StepResult>;
  readonly evaluate: Part<EvaluateArgs, Tensor>;
}

const formOf = (args: readonly Tree[]): string =>
  flattenTree(args)
    .leaves.map(({ dtype, shape }) => `${dtype}[${shape}]`)
    .join();

/** The plans of a training: one for each of its functions and each shape of a batch, within the memory that is allowed. */
export class Plans {
  /** How often a function was traced: as many plans were made. */
  traces = 0;
  /** Whether blocks are computed again in the backward pass. */
  checkpointing: "none" | "blocks";
  private readonly make: (mode: "none" | "blocks") => Parts;
  private readonly maxMemory: number;
  private readonly device: Device;
  private readonly parts: { [mode in "none" | "blocks"]?: Parts } = {};
  /** Calls that are known to fit. */
  private readonly fitting = new Set<string>();

  constructor(trainee: Trainee, named: readonly NamedParameter[], settings: Settings, hooks: MethodHooks, device: Device) {
    const { gradientCheckpointing: asked } = settings;
    this.device = device;
    this.checkpointing = asked === "blocks" ? "blocks" : "none";
    this.maxMemory = typeof asked === "object" ? asked.maxMemory : Infinity;
    this.make = (mode) => {
      const f = stepFunctions(trainee, named, settings, hooks, mode === "blocks" ? checkpointBlocks : undefined);
      return {
        step: this.part((state, batch, data, key) => f.apply(state, f.accumulate(null, state.params, batch, key, data.scale), data), [0]),
        accumulate: this.part(f.accumulate, [0]),
        apply: this.part(f.apply, [0, 1]),
        evaluate: this.part(f.evaluate, []),
      };
    };
  }

  /** A step over one batch. */
  step(...args: StepArgs): Promise<BoundCall<StepArgs, StepResult>> {
    return this.bind((parts) => parts.step, "step", args);
  }

  /** The gradients of one batch of several. */
  accumulate(...args: AccumulateArgs): Promise<BoundCall<AccumulateArgs, Accumulated>> {
    return this.bind((parts) => parts.accumulate, "accumulate", args);
  }

  /** A step by gradients that several batches have added up. */
  apply(...args: ApplyArgs): Promise<BoundCall<ApplyArgs, StepResult>> {
    return this.bind((parts) => parts.apply, "apply", args);
  }

  /** The loss of one batch. */
  evaluate(...args: EvaluateArgs): Promise<BoundCall<EvaluateArgs, Tensor>> {
    return this.bind((parts) => parts.evaluate, "evaluate", args);
  }

  /** What a call takes and does while it runs, from its plan; nothing is computed. */
  needs(name: keyof Parts, args: readonly Tree[]): Promise<PlanNeeds> {
    const { fn, donate } = this.partsNow()[name] as Part<never, Tree>;
    return planNeeds(this.device, fn as unknown as (...all: readonly Tree[]) => Tree, args, donate);
  }

  dispose(): void {
    for (const parts of Object.values(this.parts))
      for (const { compiled } of Object.values(parts) as Part<never, never>[]) compiled.dispose();
  }

  private part<A extends readonly Tree[], R extends Tree>(fn: (...args: A) => R, donate: readonly number[]): Part<A, R> {
    const counted = (...args: A): R => {
      this.traces++;
      return fn(...args);
    };
    return { fn, donate, compiled: compile(counted, { device: this.device, donate }) };
  }

  private partsNow(): Parts {
    return (this.parts[this.checkpointing] ??= this.make(this.checkpointing));
  }

  /** From the first call on that would not fit, blocks are computed again. @throws CapabilityError kind `training-memory` if that does not fit either */
  private async bind<A extends readonly Tree[], R extends Tree>(
    of: (parts: Parts) => Part<A, R>,
    name: keyof Parts,
    args: A,
  ): Promise<BoundCall<A, R>> {
    if (this.maxMemory < Infinity) await this.assertFits(name, args);
    return of(this.partsNow()).compiled.prepare(...args);
  }

  private async assertFits(name: keyof Parts, args: readonly Tree[]): Promise<void> {
    const call = `${name} ${formOf(args)}`;
    if (this.fitting.has(call)) return;
    if ((await this.needs(name, args)).peakBytes > this.maxMemory) this.checkpointing = "blocks";
    const needed = (await this.needs(name, args)).peakBytes;
    if (needed > this.maxMemory)
      throw new CapabilityError(
        `a step takes ${needed} bytes with each block computed again, gradientCheckpointing.maxMemory is ${this.maxMemory}`,
        {
          kind: "training-memory",
          hint: "use smaller batches with more gradientAccumulationSteps, shorter rows, or a smaller rank",
        },
      );
    this.fitting.add(call);
  }
}
