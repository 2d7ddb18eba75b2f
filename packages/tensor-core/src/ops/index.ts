export * from "./cast.js";
export * from "./create.js";
export * from "./elementwise.js";
export * from "./linear.js";
export * from "./movement.js";
export * from "./moving-box.js";
export * from "./random.js";
export * from "./reduce.js";
