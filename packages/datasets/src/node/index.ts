export { type ReadFileOptions, readRowsOf } from "./read-rows-of.js";
