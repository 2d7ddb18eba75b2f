import type { BenchContext } from "../../../context.js";

/** One subject of the suite `core`: a file of its own, which measures and emits its records. */
export interface CoreCase {
  /** As `--case` finds it. */
  readonly name: string;
  run(context: BenchContext): Promise<void>;
}
