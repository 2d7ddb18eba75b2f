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
}

/** Memory that belongs to a backend. */
export interface BackendBuffer {
  readonly bytes: number;
}

/** A lowered plan; opaque to everybody but the backend that made it. */
export interface Executable {
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

/** The contract between the graph and what executes it. Implemented by the reference, kernels-wasm and kernels-webgpu. */
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
  lower(plan: Plan): Executable | Promise<Executable>;
  /** `inputs` and `outputs` bind `plan.inputs` and the buffers of `plan.outputs`, in order; every output is written whole. */
  run(executable: Executable, inputs: readonly BackendBuffer[], outputs: readonly BackendBuffer[]): void | Promise<void>;
  dispose(): void;
}
