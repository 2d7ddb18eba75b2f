export { around } from "../primitives/around.js";
export { analyse, type Analysis, closure, operandsOf, type Pass, rowsOf, withOperands } from "./analysis.js";
export { apply, compute, type Computed, convert, decode, encode, roundRegister } from "./instructions.js";
export { LANE_OPS, type LaneMachine, type LaneOp, type Lanes, lanesOf, type ShiftOp } from "./lanes.js";
export { addProgram, copyProgram, fillProgram, sumProgram } from "./programs.js";
export { combination, identity, type Reduce } from "./reduction.js";
export { SCALAR_LANES } from "./scalar-lanes.js";
export { decodeSmallFloat, encodeSmallFloat, halfOf, isSmallFloat, type SmallFloat } from "./small-floats.js";
export { collapse, type Space } from "./space.js";
