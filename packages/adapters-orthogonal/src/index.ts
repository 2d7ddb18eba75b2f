export { BOFT } from "./boft/boft.js";
export { BOFT_FIELDS, BOFTConfig, type BOFTConfigFields } from "./boft/config.js";
export { createBoft, createHra, createOft } from "./create.js";
export { HRA_FIELDS, HRAConfig, type HRAConfigFields } from "./hra/config.js";
export { HRA } from "./hra/hra.js";
export { OFT_FIELDS, OFTConfig, type OFTConfigFields } from "./oft/config.js";
export { OFT } from "./oft/oft.js";
