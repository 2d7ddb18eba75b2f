export { type Made, memoryFile, numbers } from "./memory-file.js";
