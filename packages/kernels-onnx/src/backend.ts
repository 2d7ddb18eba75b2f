import { availableParallelism } from "node:os";
import {
  type Backend,
  type BackendBuffer,
  bytesPerElement,
  type CompositeCall,
  DeviceError,
  type Executable,
  type Frozen,
  type Plan,
  WeftError,
} from "@weft/tensor-core";
import { ConstantFiles, externalDataOf, type StoredConstant } from "./constant-files.js";
import { Contents } from "./contents.js";
import { type OnnxBuffer, OnnxExecutable } from "./executable.js";
import { foldConstants } from "./fold.js";
import { COMPOSITES } from "./lower/composites.js";
import { keptConstants, SMALL_BYTES } from "./lower/constants.js";
import type { Activations } from "./lower/context.js";
import { type Lowered, lowerPlan } from "./lower/lower-plan.js";
import { loopsOf } from "./loops/loop.js";
import { packProducts, sharesPacked } from "./packing.js";
import { assertAvailable, notStarted, type Runtime, smallPlan } from "./providers.js";
import { findPeer } from "./runtime/peer.js";
import { Sessions } from "./sessions.js";
import type { FilePart } from "./runtime/protocol.js";
import { OrtThread } from "./runtime/thread.js";

/** Options of the backend on onnxruntime. */
export interface OnnxBackendOptions {
  /** Threads of onnxruntime for one run; all cores (at most 8) if not given. */
  readonly threads?: number;
  /**
   * What products with packed weights of four or eight bits compute their other factor with: `f32` (default), or `int8`: rounded to 8 bits for each block of
   * 16 to 256 neighbours, by at most 1/254 of the largest magnitude in the block; two to four times as fast.
   */
  readonly activations?: Activations;
  /**
   * Execution providers of onnxruntime by the names that it has for them, the preferred first: `cpu` (if not given), `cuda`, `tensorrt`, `dml`, `coreml`, `webgpu` …. What one
   * of them does not take, those behind it do, and `cpu` at last. Tensors lie in the memory of the CPU and are copied at each run.
   */
  readonly providers?: readonly string[];
}

/** What runs a backend, and how. */
interface Setup extends Runtime {
  readonly threads: number;
  readonly activations: Activations;
  readonly providers: readonly string[];
}

/** Where numbers of elements and bytes of one array of JavaScript end. */
const MOST_BYTES = 2 ** 32;

/** Plans as models of ONNX, run by onnxruntime in a thread of its own, where tensors lie, too. */
export class OnnxBackend implements Backend {
  readonly name = "onnx";
  readonly capabilities: Backend["capabilities"];
  /** Of onnxruntime-node. */
  readonly version: string;
  private readonly thread: OrtThread;
  private buffers = 0;
  private disposed = false;

  /** Names of the execution providers that it uses, the preferred first. */
  readonly providers: readonly string[];
  /** Names of those that this build of onnxruntime has, whether or not they start on this machine. */
  readonly available: readonly string[];
  private readonly activations: Activations;
  private readonly constants: ConstantFiles;
  private readonly sessions: Sessions;

  constructor(thread: OrtThread, { version, threads, activations, providers, available }: Setup) {
    this.activations = activations;
    this.thread = thread;
    this.sessions = new Sessions(thread);
    this.constants = new ConstantFiles((path) => thread.release({ do: "remove", path }));
    this.version = version;
    this.providers = providers;
    this.available = available.map(({ name }) => name);
    this.capabilities = { maxBufferBytes: MOST_BYTES, threads, hostVisible: false, freezes: true };
  }

  /** Memory is taken when it is first written. */
  allocate(bytes: number): OnnxBuffer {
    return { id: ++this.buffers, bytes };
  }

  free(buffer: BackendBuffer): void {
    this.thread.release({ do: "free", buffer: (buffer as OnnxBuffer).id });
  }

  upload(buffer: BackendBuffer, data: Uint8Array, offset = 0): void {
    const { id, bytes } = buffer as OnnxBuffer;
    const copy = data.slice();
    this.thread.send({ do: "write", buffer: id, bytes, offset, data: copy }, [copy.buffer]);
  }

  async download(buffer: BackendBuffer, offset: number, bytes: number): Promise<Uint8Array> {
    return (await this.thread.call({ do: "read", buffer: (buffer as OnnxBuffer).id, offset, bytes }))!;
  }

  claims(call: CompositeCall): boolean {
    return COMPOSITES[call.name]?.claims(call, this.activations) ?? false;
  }

  async lower(plan: Plan, frozen: Frozen = new Map()): Promise<OnnxExecutable> {
    const { once, rest, folded } = foldConstants(plan, new Set(frozen.keys()));
    const loops = once && loopsOf(once);
    const computed = once && !loops ? await this.compute(once, frozen) : [];
    const taken: StoredConstant[] = [];
    const release = (): void => taken.forEach((constant) => this.constants.release(constant));
    try {
      const contents = new Contents(frozen, loops ?? new Map(), new Map(computed.map((buffer, i) => [folded[i]!, buffer])));
      const lowered = lowerPlan(rest, keptConstants(rest, new Set(frozen.keys()), new Set(folded)), this.activations);
      for (const { buffer, to } of lowered.constants) taken.push(this.constants.take(contents.key(buffer, to)));
      await this.write(contents, lowered, taken);
      const { thread, constants, sessions, capabilities, providers } = this;
      return await OnnxExecutable.open(
        withoutHeld(plan, frozen, lowered),
        rest,
        lowered,
        lowered.graph.model((location) => externalDataOf(taken[Number(location)]!)),
        constants.folder,
        release,
        thread,
        sessions,
        capabilities.threads,
        providers,
      );
    } catch (error) {
      release();
      throw error;
    } finally {
      for (const buffer of computed) this.free(buffer);
    }
  }

  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void | Promise<void> {
    return (executable as OnnxExecutable).run(inputs as readonly OnnxBuffer[], outputs as readonly OnnxBuffer[]);
  }

  /** The outputs of a plan of frozen inputs that is not elementwise, which are the caller's. */
  private async compute(plan: Plan, frozen: Frozen): Promise<OnnxBuffer[]> {
    const executable = await this.lower(plan);
    const outputs = plan.outputs.map(({ buffer }) => this.allocate(plan.buffers[buffer]!.bytes));
    try {
      const inputs: BackendBuffer[] = [];
      for (const id of executable.plan.inputs) inputs.push(await frozen.get(id)!.buffer());
      await this.run(executable, inputs, outputs);
      return outputs;
    } catch (error) {
      for (const buffer of outputs) this.free(buffer);
      throw error;
    } finally {
      executable.dispose();
    }
  }

  /** Writes the constants that nobody has written yet. */
  private async write(contents: Contents, lowered: Lowered, taken: readonly StoredConstant[]): Promise<void> {
    const fresh = new Set(taken.filter(({ written }) => !written));
    const writing = fresh.size > 0 ? this.writeFile(contents, lowered, taken, fresh) : Promise.resolve();
    for (const constant of fresh) constant.written = writing;
    try {
      await Promise.all([writing, ...taken.map(({ written }) => written)]);
    } catch (cause) {
      if (cause instanceof WeftError) throw cause;
      throw new DeviceError(`the constants of a plan could not be written to ${this.constants.folder}: ${(cause as Error).message}`, {
        kind: "out-of-memory",
        hint: "TMPDIR names another folder for them",
        cause,
      });
    }
  }

  private async writeFile(
    contents: Contents,
    { graph, constants }: Lowered,
    taken: readonly StoredConstant[],
    fresh: ReadonlySet<StoredConstant>,
  ): Promise<void> {
    const { thread } = this;
    const file = this.constants.file();
    const parts: FilePart[] = [];
    for (const [i, constant] of constants.entries()) {
      const stored = taken[i]!;
      if (!fresh.has(stored) || stored.place) continue;
      stored.place = this.constants.place(file, constant.elements * bytesPerElement(constant.to));
      file.constants++;
      parts.push({ offset: stored.place.offset, ...(await contents.part(constant)) });
    }
    await thread.call({ do: "store", path: file.path, parts });
    if (sharesPacked(this.providers)) await packProducts(graph, taken, fresh, this.constants, thread);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.thread.stop();
    this.constants.dispose();
  }
}

/** The plan without the frozen inputs that its session does not read; small ones stay, as reading them again would cost more than they take. */
function withoutHeld(plan: Plan, frozen: Frozen, { inputs }: Lowered): Plan {
  const read = new Set(inputs.map(({ buffer }) => buffer));
  const held = (id: number): boolean => frozen.has(id) && !read.has(id) && plan.buffers[id]!.bytes > SMALL_BYTES;
  return { ...plan, inputs: plan.inputs.filter((id) => !held(id)) };
}

/**
 * Starts onnxruntime.
 * @throws CapabilityError kinds `no-onnxruntime`, `onnxruntime-version`, `onnxruntime-broken` where the optional peer onnxruntime-node is missing, of
 * another version than those that this package is tested with, or does not load; `no-provider` for a provider that it does not have or that does not start
 */
export async function createOnnxBackend(options: OnnxBackendOptions = {}): Promise<OnnxBackend> {
  const { threads = Math.min(8, availableParallelism()), activations = "f32", providers = ["cpu"] } = options;
  const { path, version } = findPeer();
  const { thread, available } = await OrtThread.start({ path, version });
  const setup = { version, available, activations, threads: Math.max(1, threads) };
  try {
    assertAvailable(providers, setup);
    for (const name of providers)
      if (name !== "cpu") await tryProvider(new OnnxBackend(thread, { ...setup, providers: [name] }), name, setup);
  } catch (error) {
    thread.stop();
    throw error;
  }
  return new OnnxBackend(thread, { ...setup, providers });
}

async function tryProvider(backend: OnnxBackend, name: string, runtime: Runtime): Promise<void> {
  try {
    (await backend.lower(smallPlan())).dispose();
  } catch (error) {
    throw notStarted(name, runtime, error);
  }
}
