import { availableParallelism } from "node:os";
import { type Backend, type BackendBuffer, type Executable, type Frozen, type Plan } from "@weft/tensor-core";
import { withContents } from "./contents.js";
import { type OnnxBuffer, OnnxExecutable } from "./executable.js";
import { keptConstants } from "./lower/constants.js";
import { lowerPlan } from "./lower/lower-plan.js";
import { findPeer } from "./runtime/peer.js";
import { OrtThread } from "./runtime/thread.js";

/** Options of the backend on onnxruntime. */
export interface OnnxBackendOptions {
  /** Threads of onnxruntime for one run; all cores (at most 8) if not given. */
  readonly threads?: number;
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

  constructor(thread: OrtThread, version: string, threads: number) {
    this.thread = thread;
    this.version = version;
    this.capabilities = { maxBufferBytes: MOST_BYTES, threads, hostVisible: false, freezes: true };
  }

  /** Memory is taken when it is first written. */
  allocate(bytes: number): OnnxBuffer {
    return { id: ++this.buffers, bytes };
  }

  free(buffer: BackendBuffer): void {
    if (!this.disposed) this.thread.send({ do: "free", buffer: (buffer as OnnxBuffer).id });
  }

  upload(buffer: BackendBuffer, data: Uint8Array, offset = 0): void {
    const { id, bytes } = buffer as OnnxBuffer;
    const copy = data.slice();
    this.thread.send({ do: "write", buffer: id, bytes, offset, data: copy }, [copy.buffer]);
  }

  async download(buffer: BackendBuffer, offset: number, bytes: number): Promise<Uint8Array> {
    return (await this.thread.call({ do: "read", buffer: (buffer as OnnxBuffer).id, offset, bytes }))!;
  }

  /** None: every composite runs by its decomposition. */
  claims(): boolean {
    return false;
  }

  async lower(plan: Plan, frozen: Frozen = new Map()): Promise<OnnxExecutable> {
    const lowered = lowerPlan(plan, keptConstants(plan, new Set(frozen.keys())));
    return withContents(this, lowered.constants, frozen, (contents) =>
      OnnxExecutable.open(plan, lowered, contents, this.thread, this.capabilities.threads),
    );
  }

  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void | Promise<void> {
    return (executable as OnnxExecutable).run(inputs as readonly OnnxBuffer[], outputs as readonly OnnxBuffer[]);
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.thread.stop();
  }
}

/**
 * Starts onnxruntime.
 * @throws CapabilityError kinds `no-onnxruntime`, `onnxruntime-version`, `onnxruntime-broken` where the optional peer onnxruntime-node is missing, of
 * another version than those that this package is tested with, or does not load
 */
export async function createOnnxBackend({ threads }: OnnxBackendOptions = {}): Promise<OnnxBackend> {
  const peer = findPeer();
  const thread = await OrtThread.start(peer);
  return new OnnxBackend(thread, peer.version, Math.max(1, threads ?? Math.min(8, availableParallelism())));
}
