export { assertOwnHost, assertToken } from "./access.js";
export { ApiError, apiErrorOf, stopping } from "./api-error.js";
export { readJson } from "./read-json.js";
export { respond, type Sending } from "./respond.js";
