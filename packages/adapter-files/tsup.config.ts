import { library } from "../../tsup.base.js";

export default library(["src/index.ts", "src/dialects/index.ts", "src/names.ts", "src/node/index.ts", "src/testing/index.ts"]);
