export { DIALECT_NAMES, type DialectName } from "./dialects/dialect.js";
