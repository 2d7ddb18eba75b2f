import { library } from "../../tsup.base.js";

export default library(["src/index.ts", "src/format-bytes.ts", "src/node/index.ts"]);
