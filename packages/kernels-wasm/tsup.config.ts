import { library } from "../../tsup.base.js";

export default library(["src/index.ts", "src/encode/index.ts", "src/node/index.ts", "src/threads/thread.ts"]);
