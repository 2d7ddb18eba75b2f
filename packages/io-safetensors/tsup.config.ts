import { library } from "../../tsup.base.js";

export default library(["src/index.ts", "src/http.ts", "src/hub.ts", "src/node/index.ts", "src/sharded.ts"]);
