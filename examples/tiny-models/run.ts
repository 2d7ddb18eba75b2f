// `node scripts/run-example.mjs examples/tiny-models/run.ts NAME`
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Executor } from "@weft/agent";
import { agent } from "./agent.js";
import { lycoris } from "./lycoris.js";
import { mixedAdapters } from "./mixed-adapters.js";
import { modelLoader } from "./model-loader.js";
import { pipeline } from "./pipeline.js";
import { qlora } from "./qlora.js";
import { quantisation } from "./quantisation.js";
import { recurrent } from "./recurrent.js";
import type { Tell } from "./setup.js";

const EXAMPLES: { readonly [name: string]: (folder: string, tell: Tell) => Promise<unknown> } = {
  qlora,
  recurrent: (_, tell) => recurrent(tell),
  quantisation,
  agent: async (_, tell) => {
    await using executor = new Executor();
    await agent(executor, tell);
  },
  "model-loader": modelLoader,
  "mixed-adapters": mixedAdapters,
  pipeline,
  lycoris,
};

const [name = ""] = process.argv.slice(2);
const example = EXAMPLES[name];
if (!example) throw new Error(`usage: run.ts ${Object.keys(EXAMPLES).join("|")}`);
const folder = mkdtempSync(join(tmpdir(), "weft-example-"));
try {
  await example(folder, console.log);
} finally {
  rmSync(folder, { recursive: true });
}
