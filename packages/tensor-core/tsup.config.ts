import { library } from "../../tsup.base.js";

export default library([
  "src/index.ts",
  "src/linalg/index.ts",
  "src/methods/index.ts",
  "src/names.ts",
  "src/program/index.ts",
  "src/prompt/index.ts",
  "src/testing/index.ts",
]);
