import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { prepareSwiftShader } from "./swiftshader.mjs";

/** Before all tests: the WebAssembly modules are built from their sources, and a software GPU is at hand where no other is. */
export default function setup(): void {
  const script = fileURLToPath(new URL("../packages/kernels-wasm/scripts/build-wasm.mjs", import.meta.url));
  const built = spawnSync(process.execPath, [script], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`${script} failed:\n${built.stdout}${built.stderr}`);
  prepareSwiftShader();
}
