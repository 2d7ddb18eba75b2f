import type { Executable } from "./backend.js";
import type { Device } from "./device.js";
import type { Tensor } from "./graph.js";
import type { IndexCheck } from "./index-checks.js";
import type { ResultPlace } from "./plan/plan-graph.js";
import { sameShape } from "./shape.js";
import { Spares } from "./spares.js";
import { Storage } from "./storage.js";
import type { TensorSpec } from "./tensor-spec.js";
import { matchTree, type Tree, type TreeStructure, unflattenTree } from "./transforms/tree.js";

/** What a trace has become on a device: a lowered plan, and how results are bound to it. */
export interface Compiled {
  readonly executable: Executable;
  /** Leaves of the plan behind the arguments: weights and constants that the function closes over. */
  readonly captured: readonly Tensor[];
  /** Those of them that the trace has made: they go with the plan. */
  readonly own: readonly Tensor[];
  /** Where each result lies, its shape and dtype. */
  readonly results: readonly (TensorSpec & { readonly place: ResultPlace })[];
  /** On a device that checks indices: what they must be, and where the plan tells what they are. */
  readonly indices?: { readonly checks: readonly IndexCheck[]; readonly place: ResultPlace };
  /** The tree that the results make. */
  readonly structure: TreeStructure;
}

/** The arguments that a signature stands for. */
export interface Arguments {
  /** Of the list of arguments. */
  readonly structure: TreeStructure;
  /** Of its leaves. */
  readonly specs: readonly TensorSpec[];
  /** Leaves that a call takes over. */
  readonly donated: readonly number[];
}

function fits({ shape, dtype }: TensorSpec, t: Tensor): boolean {
  const spec = t.node.outputs[t.index]!;
  return spec.dtype === dtype && (spec.shape === shape || sameShape(spec.shape, shape));
}

/** A plan that is replayed, with what a call needs to know of its outputs: their sizes, and which input's memory they take (-1: none's). */
interface Replay extends Compiled {
  readonly bytes: readonly number[];
  readonly over: readonly number[];
  readonly spares: Spares;
  /** Each result as its node has it, so that a call makes none. */
  readonly specs: readonly (readonly [TensorSpec])[];
}

function replayOf(device: Device, compiled: Compiled): Replay {
  const { buffers, inputs, outputs } = compiled.executable.plan;
  const numbers = new Map(inputs.map((id, i) => [id, i]));
  const specs = outputs.map(({ buffer }) => buffers[buffer]!);
  return {
    ...compiled,
    bytes: specs.map(({ bytes }) => bytes),
    over: specs.map((spec) => (spec.role === "output" && spec.over !== undefined ? numbers.get(spec.over)! : -1)),
    spares: new Spares(device, outputs.length),
    specs: compiled.results.map(({ shape, dtype }) => [{ shape, dtype }]),
  };
}

/** One signature of a compiled function and the plan that is replayed for its arguments. */
export class Signature<R extends Tree> {
  readonly ready: Promise<Compiled>;
  private readonly device: Device;
  private readonly arguments: Arguments;
  private replay: Replay | undefined;
  /** Calls under way. */
  private calls = 0;
  private retired = false;

  constructor(device: Device, args: Arguments, compiling: Promise<Compiled>) {
    this.device = device;
    this.arguments = args;
    this.ready = compiling.then((compiled) => (this.replay = replayOf(device, compiled)));
  }

  /** Whether these are such arguments; their tensors are put into `leaves` then. */
  takes(args: readonly Tree[], leaves: Tensor[]): boolean {
    leaves.length = 0;
    const { structure, specs } = this.arguments;
    if (!matchTree(structure, args, leaves)) return false;
    for (let i = 0; i < specs.length; i++) if (!fits(specs[i]!, leaves[i]!)) return false;
    return true;
  }

  /**
   * Runs the plan; at once if everything is ready.
   * @param recycle memory of results that are disposed of is kept for further calls
   */
  async call(leaves: readonly Tensor[], recycle: boolean): Promise<R> {
    const { device } = this;
    // Held now, and not when the plan is ready: the caller may dispose of its arguments as soon as it has made the call.
    const gathered = device.gather(leaves);
    this.calls++;
    let held: Storage[] = [];
    try {
      held = Array.isArray(gathered) ? gathered : await gathered;
      if (!this.replay) await this.ready;
      const replay = this.replay!;
      if (replay.captured.length > 0) {
        const captured = device.gather(replay.captured);
        held = held.concat(Array.isArray(captured) ? captured : await captured);
      }
      for (const i of replay.over) if (i >= 0 && !this.alone(leaves[i]!, held[i]!)) held[i] = await this.copy(held[i]!);
      const outputs = this.outputs(replay, held, recycle);
      for (const i of this.arguments.donated) leaves[i]!.node.donate(leaves[i]!.index);
      const running = device.run(replay.executable, held, outputs);
      if (running) await running;
      try {
        const at = (place: ResultPlace): Storage => ("output" in place ? outputs[place.output]! : held[place.input]!);
        if (replay.indices) await device.verify(replay.indices.checks, at(replay.indices.place));
        const results = replay.results.map(({ place }, i) => device.result(at(place).retain(), replay.specs[i]!));
        return unflattenTree(replay.structure, results) as R;
      } finally {
        for (const storage of outputs) storage.release();
      }
    } finally {
      for (const storage of held) storage.release();
      if (--this.calls === 0 && this.retired) this.free();
    }
  }

  /** Frees the plan as soon as no call is under way. */
  retire(): void {
    this.retired = true;
    if (this.calls === 0) this.free();
  }

  /** True after `retire`. */
  get closed(): boolean {
    return this.retired;
  }

  /** Whether nobody but a tensor and this call holds the memory that it lies in, so that it may be overwritten. */
  private alone({ node, index }: Tensor, storage: Storage): boolean {
    return storage.holders === (node.storage(index, this.device) === storage ? 2 : 1);
  }

  /** Memory of the call's own in place of what others hold, too. */
  private async copy(storage: Storage): Promise<Storage> {
    const copy = await storage.copy();
    storage.release();
    return copy;
  }

  private outputs({ bytes, over, spares }: Replay, held: readonly Storage[], recycle: boolean): Storage[] {
    return Storage.each(bytes, (size, i) => {
      if (over[i]! >= 0) return held[over[i]!]!.retain();
      return recycle ? spares.take(i, size) : Storage.allocate(this.device, size);
    });
  }

  private free(): void {
    this.ready.then(
      ({ executable, own }) => {
        this.replay!.spares.close();
        executable.dispose();
        for (const t of own) t.dispose();
      },
      () => undefined,
    );
  }
}
