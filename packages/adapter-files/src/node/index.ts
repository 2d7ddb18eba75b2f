export { openAdapterFolder } from "./open-adapter-folder.js";
export { createWorkerRegex, REGEX_TIMEOUT_MS, type WorkerRegex } from "./worker-regex.js";
