import type { KernelModule } from "../kernel-args.js";
import type { CompositeStep, LowerContext, Run } from "./context.js";
import type { FusedStep } from "./fused.js";
import type { OpStep } from "./steps.js";

/** How a primitive runs; undefined where a call has no kernel, which then runs by its reference kernel. */
export type LowerOp = (step: OpStep, context: LowerContext) => Run | undefined;

/** How a composite runs that was claimed. */
export type LowerComposite = (step: CompositeStep, context: LowerContext) => Run;

/** The groups that are loaded when a plan needs them, by their files in `groups/`. */
export type GroupName = "further" | "merge" | "model" | "packed" | "recurrent" | "training";

/** Kernels that programs need together. They are loaded with the first plan that has a step of them, so that a page has those that it runs. */
export interface KernelGroup {
  /** Its WebAssembly; none where all code is made at run time. */
  readonly module?: KernelModule;
  readonly ops?: Readonly<Record<string, LowerOp>>;
  readonly composites?: Readonly<Record<string, LowerComposite>>;
  /** How fused steps run that only this group's code makes fast; undefined where they run as all others. */
  readonly fused?: (step: FusedStep, context: LowerContext) => Run | undefined;
}
