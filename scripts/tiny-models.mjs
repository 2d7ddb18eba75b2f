// `npm run tiny-models [-- llama mamba rwkv --out FOLDER]`: trains the models of @weft/tiny-models again, from their text; into the package if no folder is given.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";

install("@weft/tiny-models-training...");
build("@weft/tiny-models-training...");
const { status } = spawnSync(process.execPath, [join(root, "apps/tiny-models/dist/main.js"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
