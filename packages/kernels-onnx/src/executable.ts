import { DeviceError, type Executable, type Plan, stepCost, stepName } from "@weft/tensor-core";
import type { Lowered, Port } from "./lower/lower-plan.js";
import { runError } from "./runtime/errors.js";
import type { SessionPort } from "./runtime/protocol.js";
import type { OrtThread } from "./runtime/thread.js";
import type { Sessions, SharedSession } from "./sessions.js";

/** Memory in the thread, by its number there. */
export interface OnnxBuffer {
  readonly id: number;
  readonly bytes: number;
}

/** Work of a plan, in flops and bytes moved, below which more threads cost more than they give. */
const SMALL_WORK = 1e6;

/**
 * Of a session. Optimising takes four times as long as all the rest of creating one, and makes nothing faster: plans are optimised before. Finding a pattern of
 * memory takes as long as that rest.
 */
const sessionOptions = (threads: number, providers: readonly string[], folder: string): object => ({
  executionProviders: providers,
  graphOptimizationLevel: "disabled",
  enableMemPattern: false,
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  logSeverityLevel: 4,
  extra: { session: { force_spinning_stop: "1", model_external_initializers_file_folder_path: folder } },
});

/** A plan as a session of onnxruntime. */
export class OnnxExecutable implements Executable {
  readonly plan: Plan;
  readonly kernels: readonly string[];
  private readonly thread: OrtThread;
  /** Undefined for a plan that has nothing to do. */
  private session: SharedSession | undefined;
  /** Which of the plan's inputs and outputs the session takes, in its order. */
  private readonly inputs: readonly number[];
  private readonly outputs: readonly number[];

  /** What the session computes at each run: names of its nodes begin with the number of a step of it. */
  private readonly rest: Plan;

  /** Lets go of the constants. */
  private readonly release: () => void;

  private constructor(plan: Plan, rest: Plan, thread: OrtThread, release: () => void, inputs: readonly Port[], outputs: readonly Port[]) {
    this.plan = plan;
    this.release = release;
    this.rest = rest;
    this.thread = thread;
    this.kernels = rest.steps.map(stepName);
    this.inputs = inputs.map(({ buffer }) => plan.inputs.indexOf(buffer));
    this.outputs = outputs.map(({ buffer }) => plan.outputs.findIndex((o) => o.buffer === buffer));
  }

  /** How many of the plan's inputs it is handed at each run: those that something reads and that the model does not have as constants. */
  get fed(): number {
    return this.inputs.length;
  }

  /**
   * @param rest what of the plan is left to do at each run
   * @param model that does it
   * @param folder of the files with the model's constants
   * @param release called when they are needed no more
   * @param sessions of the thread
   * @param threads the most that it may use
   * @param providers of onnxruntime, the preferred first
   * @throws DeviceError for a plan that onnxruntime does not take
   */
  static async open(
    plan: Plan,
    rest: Plan,
    { inputs, outputs }: Lowered,
    model: Uint8Array<ArrayBuffer>,
    folder: string,
    release: () => void,
    thread: OrtThread,
    sessions: Sessions,
    threads: number,
    providers: readonly string[],
  ): Promise<OnnxExecutable> {
    const made = new OnnxExecutable(plan, rest, thread, release, inputs, outputs);
    if (outputs.length === 0) return made;
    const work = rest.steps.map(stepCost).reduce((sum, { flops, bytes }) => sum + flops + bytes, 0);
    const port = ({ name, type, shape, buffer }: Port): SessionPort => ({ name, type, shape, bytes: rest.buffers[buffer]!.bytes });
    const parts = { inputs: inputs.map(port), outputs: outputs.map(port) };
    const options = sessionOptions(work < SMALL_WORK ? 1 : threads, providers, folder);
    try {
      made.session = await sessions.take({ model, options, ...parts });
    } catch (cause) {
      throw new DeviceError(`onnxruntime does not take the plan: ${(cause as Error).message}`, { cause });
    }
    return made;
  }

  run(inputs: readonly OnnxBuffer[], outputs: readonly OnnxBuffer[]): void | Promise<void> {
    const { session } = this;
    if (!session) return;
    const numbers = (ports: readonly number[], buffers: readonly OnnxBuffer[]): Int32Array => Int32Array.from(ports, (i) => buffers[i]!.id);
    const failed = (error: Error): never => {
      throw runError(error.message, this.rest);
    };
    try {
      const running = this.thread.call({
        do: "run",
        session: session.number,
        inputs: numbers(this.inputs, inputs),
        outputs: numbers(this.outputs, outputs),
      });
      if (running instanceof Promise) return running.then(() => undefined, failed);
    } catch (error) {
      failed(error as Error);
    }
  }

  dispose(): void {
    this.session?.release();
    this.release();
  }
}
