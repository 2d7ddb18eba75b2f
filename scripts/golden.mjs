// Golden cases: `npm run test:golden -- peft/lora_ --allow-unsupported`; WEFT_GOLDEN names another folder, WEFT_BACKEND the backend.
import { spawnSync } from "node:child_process";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";

install();
build("@weft/golden...");
const { prepareSwiftShader } = await import("./swiftshader.mjs");
if (process.env.WEFT_BACKEND === "webgpu") prepareSwiftShader();
const result = spawnSync(process.execPath, [`${root}/tests/golden/dist/run.js`, ...process.argv.slice(2)], { cwd: root, stdio: "inherit" });
process.exitCode = result.status ?? 1;
