export { loadAdapter, loadPeftModel } from "./load-peft-model.js";
export { openAdapterFolder } from "./open-adapter-folder.js";
export { createWorkerRegex, REGEX_TIMEOUT_MS, type WorkerRegex } from "./worker-regex.js";
export { savePretrained } from "./save-pretrained.js";
export { type KohyaHashes, kohyaHashes } from "./kohya-hashes.js";
// What these functions take and give, under this entry as well: declarations can name it.
export { PeftModel } from "../model/peft-model.js";
