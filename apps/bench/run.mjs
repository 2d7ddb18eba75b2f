// `npm run bench -- <suite…>`: installs and builds what is measured, then measures it. Lists the suites without an argument.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "../../scripts/build.mjs";
import { install, root } from "../../scripts/setup.mjs";

install();
build();
const { status } = spawnSync(process.execPath, [join(root, "apps/bench/dist/bench.js"), ...process.argv.slice(2)], { stdio: "inherit" });
process.exitCode = status ?? 1;
