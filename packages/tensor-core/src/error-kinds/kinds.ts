import type { AdapterErrorKinds } from "./adapters.js";
import type { AgentErrorKinds } from "./agent.js";
import type { DatasetErrorKinds } from "./datasets.js";
import type { DeviceErrorKinds } from "./devices.js";
import type { FileErrorKinds } from "./files.js";
import type { GenerationErrorKinds } from "./generation.js";
import type { JobErrorKinds } from "./jobs.js";
import type { TokenizerErrorKinds } from "./tokenizers.js";
import type { TrainingErrorKinds } from "./training.js";

/** What a failure was caused by, and which class its error has; the command line derives its exit code from it. */
export type WeftErrorCode = "shape" | "dtype" | "format" | "config" | "capability" | "device" | "cancelled" | "io" | "match";

/**
 * Every kind of error: its name, the codes that it comes with, and what to do about it. The page of errors is made of this, and nothing can be
 * thrown that is not in it. A package adds kinds of its own with `declare module "@weft/tensor-core" { interface WeftErrorKinds { … } }`.
 */
export interface WeftErrorKinds
  extends
    DeviceErrorKinds,
    FileErrorKinds,
    AdapterErrorKinds,
    AgentErrorKinds,
    DatasetErrorKinds,
    GenerationErrorKinds,
    JobErrorKinds,
    TokenizerErrorKinds,
    TrainingErrorKinds {}

/** Names of the kinds that come with a code. */
export type WeftErrorKind<C extends WeftErrorCode = WeftErrorCode> = {
  [K in keyof WeftErrorKinds]: Extract<WeftErrorKinds[K], C> extends never ? never : K;
}[keyof WeftErrorKinds];
