import type { ConformanceCase } from "../case.js";
import { COMPOSITE_CASES } from "./composites/index.js";
import { PRIMITIVE_CASES } from "./primitives/index.js";
import { RESULT_CASES } from "./results.js";

export { COMPOSITE_CASES, PRIMITIVE_CASES };

/** One table for all backends. */
export const CASES: readonly ConformanceCase[] = [...PRIMITIVE_CASES, ...COMPOSITE_CASES, ...RESULT_CASES];
