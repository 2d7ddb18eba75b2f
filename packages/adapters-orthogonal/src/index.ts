export { BOFT } from "./boft/boft.js";
export { BOFT_FIELDS, BoftConfig, type BoftConfigFields } from "./boft/config.js";
export { createBoft, createHra, createOft } from "./create.js";
export { HRA_FIELDS, HraConfig, type HraConfigFields } from "./hra/config.js";
export { HRA } from "./hra/hra.js";
export { OFT_FIELDS, OftConfig, type OftConfigFields } from "./oft/config.js";
export { OFT } from "./oft/oft.js";
