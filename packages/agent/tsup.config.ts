import type { Options } from "tsup";
import { library } from "../../tsup.base.js";

const entries = library(["src/index.ts", "src/node/index.ts", "src/mcp/index.ts"]) as Options;

/** The workers' program brings all that it needs but the peers, so that it starts from a file alone, also where a bundler has moved it. */
const program: Options = {
  ...(library(["src/worker.ts"]) as Options),
  outDir: "dist/worker",
  noExternal: [/^@weft\//, "@cfworker/json-schema"],
};

export default [{ ...entries, clean: [...(entries.clean as string[]), "!worker/**"] }, program];
