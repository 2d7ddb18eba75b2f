import { library } from "../../tsup.base.js";

export default library(["src/index.ts", "src/node/index.ts", "src/chat/index.ts", "src/chat/node/index.ts"]);
