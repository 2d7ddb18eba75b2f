import type { MergeOptions } from "./options.js";

/** What a worker gets. */
export interface WorkerInput {
  readonly options: MergeOptions;
  /** i32: next piece of work, stop flag. */
  readonly shared: SharedArrayBuffer;
  /** Where each output file lies until it is complete; empty: it is complete already. */
  readonly temporaries: readonly string[];
}

/** What a worker says. */
export type WorkerMessage =
  /** Piece `work` of the list has been written. */
  | { readonly kind: "written"; readonly work: number }
  | { readonly kind: "done" }
  | { readonly kind: "error"; readonly error: { readonly code: string; readonly message: string; readonly kind: string; readonly file?: string | undefined; readonly tensor?: string | undefined; readonly hint?: string | undefined; readonly system?: string | undefined; readonly stack?: string | undefined } };

/** Indices in the shared block. */
export const NEXT = 0;
export const STOP = 1;
