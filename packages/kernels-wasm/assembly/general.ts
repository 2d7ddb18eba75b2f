// The module with everything that has no use for fused multiply-add: one build.
export { firstNonFinite } from "./finite";
export { im2col } from "./im2col";
export { argReduce, cumulate, gatherRows, scatterAdd, threefry } from "./indexed";
