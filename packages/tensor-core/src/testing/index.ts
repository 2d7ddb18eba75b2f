export { type ConformanceCase, CHAIN, EXACT, FUNCTION, numbers, positive, products, rounded, sample, type Tolerance, ulp } from "./case.js";
export { CASES, COMPOSITE_CASES, PRIMITIVE_CASES } from "./cases/index.js";
export { type Check, conformance, type Conformance } from "./conformance.js";
export { firstDifference, valuesOf } from "./evaluate.js";
export { firstOfEach } from "./first-of-each.js";
export { type CountedBackend, memoryChecks } from "./memory-checks.js";
export { watch, type Watched } from "./watch.js";
export { AWQ, GPTQ, NF4_NESTED, Q4_0, Q4_K } from "./own-format/known-formats.js";
export { type MethodCase, methodChecks } from "./method-checks.js";
