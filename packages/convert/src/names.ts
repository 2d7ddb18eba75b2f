export { COMBINATION_TYPES, type CombinationType } from "./algebra/combination-type.js";
export { TARGET_NAMES, type TargetName } from "./targets/target.js";
