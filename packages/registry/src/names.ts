/** Names that command lines and forms offer, on their own: nothing else of the registry is loaded with them. */
export { DIALECT_NAMES, type DialectName } from "./dialects/dialect.js";
export { TARGET_NAMES, type TargetName } from "./dialects/targets/target.js";
export { COMBINATION_TYPES, type CombinationType } from "./algebra/combination-type.js";
export { editDistance, nearestNames } from "./report/nearest.js";
