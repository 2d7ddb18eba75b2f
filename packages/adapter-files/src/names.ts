export { DIALECT_NAMES, type DialectName } from "./dialects/dialect.js";
export { editDistance, nearestNames } from "./report/nearest.js";
