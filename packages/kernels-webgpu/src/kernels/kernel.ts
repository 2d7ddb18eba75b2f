import type { Attrs, CompositeCall, DType, Operand } from "@weft/tensor-core";
import type { Tuning } from "../tuning/tuning.js";

/** A buffer as one dispatch binds it. `key` is equal for plan buffers that lie at the same place (in-place steps). */
export interface Binding {
  readonly key: string;
  /** Id in the plan, or of a temporary. */
  readonly buffer: number;
  /** It lies in the arena or among the temporaries, with others in one GPU buffer. */
  readonly shared: boolean;
  readonly writable: boolean;
}

/** One compute dispatch; the runtime makes pipeline and bind group of it. */
export interface Dispatch {
  /** For `explain` and labels. */
  readonly name: string;
  /** WGSL; also the key of the pipeline. Binding 0 is the parameters, then `bindings` in order. */
  readonly source: string;
  /** Contents of the uniform buffer; a multiple of 16 bytes. */
  readonly params: Uint8Array<ArrayBuffer>;
  readonly bindings: readonly Binding[];
  readonly groups: readonly [x: number, y: number, z: number];
}

/** What kernels adapt to. */
export interface KernelLimits {
  readonly maxStorageBuffers: number;
  readonly maxGroups: number;
  readonly maxInvocations: number;
  /** Bytes of workgroup memory. */
  readonly maxWorkgroupBytes: number;
  /** Bytes of a buffer that one kernel can see. */
  readonly maxBinding: number;
  /** Kernels may keep f16 in workgroup memory (`shader-f16`). */
  readonly f16?: boolean;
  /** Kernels may use subgroups, of any size. */
  readonly subgroups?: boolean;
  /** Sizes of tiles and workgroups; those of `DEFAULT_TUNING` if not given. */
  readonly tuning?: Tuning;
}

/** What a kernel may ask while a plan is lowered. */
export interface LowerContext {
  readonly limits: KernelLimits;
  binding(buffer: number): Omit<Binding, "writable">;
  /** Size of a buffer. */
  bytes(buffer: number): number;
  /** A part of a buffer under an id of its own; `begin` is a multiple of 256. */
  window(buffer: number, begin: number, bytes: number): number;
  /** A contiguous tensor that lives until the step is done. */
  temporary(shape: readonly number[], dtype: DType): Operand;
}

/** Operands of one step. */
export interface KernelCall {
  readonly attrs: Attrs;
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

/** Writes the dispatches of one step; pure but for `context.temporary`. */
export type Kernel = (call: KernelCall, context: LowerContext) => Dispatch[];

/** A composite with a kernel of the backend's own. */
export interface CompositeKernel {
  readonly claims: (call: CompositeCall, limits: KernelLimits) => boolean;
  readonly lower: Kernel;
}
