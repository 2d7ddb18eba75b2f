export { loadAdapter, loadPeftModel } from "./load-peft-model.js";
export { openAdapterFolder } from "./open-adapter-folder.js";
export { createWorkerRegex, REGEX_TIMEOUT_MS, type WorkerRegex } from "./worker-regex.js";
export { savePretrained } from "./save-pretrained.js";
export { type KohyaHashes, kohyaHashes } from "./kohya-hashes.js";
