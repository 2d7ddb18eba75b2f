export { emitLine, emitRows } from "./emit-line.js";
export { planDot } from "./plan-dot.js";
