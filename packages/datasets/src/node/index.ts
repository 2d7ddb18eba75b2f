export { readRowsOf } from "./read-rows-of.js";
