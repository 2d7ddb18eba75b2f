export { emitDot } from "./emit-dot.js";
export { emitLine } from "./emit-line.js";
