import { library } from "../../tsup.base.js";

// In one folder: what starts worker threads looks for their program beside itself, in whichever chunk it lies.
export default library({
  index: "src/index.ts",
  browser: "src/browser/index.ts",
  "format-bytes": "src/format-bytes.ts",
  node: "src/node/index.ts",
  "checkpoint-worker": "src/node/checkpoint-worker.ts",
});
