import type { DType } from "./dtype.js";
import type { Attrs } from "./attrs.js";
import type { Plan } from "./plan/plan.js";

/** What a backend can do; programs adapt to these values, never to the backend's name. */
export interface Capabilities {
  /** Largest single buffer in bytes. */
  readonly maxBufferBytes: number;
  /** Threads that run kernels (1 on a GPU). */
  readonly threads: number;
  /** True if `view` gives the bytes of a buffer without a copy. */
  readonly hostVisible: boolean;
  /** True if `lower` makes use of frozen inputs. */
  readonly freezes?: boolean;
}

/** An input of a plan that has the same contents at every run. */
export interface FrozenInput {
  /** The same for the same contents, in all plans of a device; never again for others. */
  readonly key: string;
  /** Where it lies until the plan is lowered; it is read and uploaded for that, if it does not lie there yet. */
  buffer(): Promise<BackendBuffer>;
}

/** The inputs of a plan that have the same contents at every run, by the number of their buffer. */
export type Frozen = ReadonlyMap<number, FrozenInput>;

/** Memory that belongs to a backend. */
export interface BackendBuffer {
  readonly bytes: number;
}

/** What running a plan takes besides its inputs and outputs, in bytes. */
export interface Footprint {
  /** Of the arena that all plans of the backend share: the plan's scratch, and temporaries of the kernels. */
  readonly arenaBytes: number;
  /** Arguments of kernels, for as long as the plan is lowered. */
  readonly ownBytes: number;
}

/** What a backend holds now, in bytes. */
export interface BackendStatistics {
  /** Everything that was asked for and not freed: buffers, arena, and what lowered plans hold. */
  readonly usedBytes: number;
  /** What the backend took from the system for it: with what lies idle, and its own code. */
  readonly totalBytes: number;
  /** The scratch that all plans share: as much as the largest of the lowered ones needs. */
  readonly arenaBytes: number;
  /** Arguments of kernels of lowered plans. */
  readonly planBytes: number;
  /** Calls of `allocate` so far. */
  readonly allocations: number;
}

/** A lowered plan; opaque to everybody but the backend that made it. */
export interface Executable {
  /** The plan; its `peakBytes` counts what this backend needs to run it. */
  readonly plan: Plan;
  /** Names of the kernels it calls, in order, for `explain`. */
  readonly kernels: readonly string[];
  dispose(): void;
}

/** One call of a composite, as `claims` sees it. */
export interface CompositeCall {
  readonly name: string;
  readonly attrs: Attrs;
  readonly inputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
}

/** The contract between the graph and what executes it. Implemented by the reference, kernels-wasm, kernels-webgpu and kernels-onnx. */
export interface Backend {
  readonly name: string;
  readonly capabilities: Capabilities;
  /** Contents are undefined. @throws DeviceError kind `out-of-memory`. */
  allocate(bytes: number): BackendBuffer;
  free(buffer: BackendBuffer): void;
  /** Copies `data` to `offset` bytes in the buffer. `data` may be reused when it returns. */
  upload(buffer: BackendBuffer, data: Uint8Array, offset?: number): void;
  /** Copies bytes out, after all runs so far are done. */
  download(buffer: BackendBuffer, offset: number, bytes: number): Promise<Uint8Array>;
  /** The bytes of a buffer in place (only if `hostVisible`). Valid until the next `allocate`. */
  view?(buffer: BackendBuffer): Uint8Array;
  /** True if the backend runs this composite with a kernel of its own; otherwise it is decomposed before planning. */
  claims(call: CompositeCall): boolean;
  /** What `lower(plan)` would take. Without it: the plan's scratch. */
  footprint?(plan: Plan): Footprint | Promise<Footprint>;
  /**
   * `frozen` is given to a backend that `freezes`; what it takes of them it may keep in a form of its own until the executable is disposed of. What it needs no more
   * is left out of the inputs of the executable's plan, so that nobody holds it for it.
   */
  lower(plan: Plan, frozen?: Frozen): Executable | Promise<Executable>;
  /** `inputs` and `outputs` bind `plan.inputs` and the buffers of `plan.outputs`, in order; every output is written whole. */
  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void | Promise<void>;
  dispose(): void;
}
