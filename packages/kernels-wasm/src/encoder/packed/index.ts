export { emitDot } from "./emit-dot.js";
export { emitLine } from "./emit-line.js";
export { mostLines } from "./most-lines.js";
