/** Entries of tensor-core that modules of the user's import, and what they get: files beside the program's. */
export const CORE_ENTRIES: ReadonlyMap<string, string> = new Map([
  ["@weft/tensor-core", "./core/index.js"],
  ["@weft/tensor-core/linalg", "./core/linalg.js"],
  ["@weft/tensor-core/methods", "./core/methods.js"],
  ["@weft/tensor-core/prompt", "./core/prompt.js"],
]);
