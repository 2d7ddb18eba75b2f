// Random graphs on every backend: `npm run fuzz -- --seconds 60 --seed 1`.
import { spawnSync } from "node:child_process";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";
import { prepareSwiftShader } from "./swiftshader.mjs";

install();
build("@weft/fuzz...");
prepareSwiftShader();
const result = spawnSync(process.execPath, [`${root}/tests/fuzz/dist/run.js`, ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
process.exitCode = result.status ?? 1;
