import type { MethodTable } from "@weft/tensor-core";

/** The methods of a job. */
export interface Methods {
  readonly table: MethodTable;
  /** Modules of the user's that define some of them: the output depends on what these hold. */
  readonly files: readonly string[];
}
