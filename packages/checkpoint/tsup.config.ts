import { library } from "../../tsup.base.js";

export default library([
  "src/index.ts",
  "src/browser/index.ts",
  "src/format-bytes.ts",
  "src/names.ts",
  "src/node/index.ts",
  "src/node/checkpoint-worker.ts",
]);
