import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { prepareSwiftShader } from "./swiftshader.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Tests that run the built program. */
const OF_PROGRAM = /[/\\](apps[/\\]cli|examples[/\\]own-method)[/\\]/;

/** Before all tests: the WebAssembly modules are built from their sources, a software GPU is at hand where no other is, and the program is no older than its sources. */
export default function setup({ vitest }: TestProject): void {
  run(join(root, "packages/kernels-wasm"), [join(root, "packages/kernels-wasm/scripts/build-wasm.mjs")]);
  prepareSwiftShader();
  const folder = join(root, "apps/cli");
  if (vitest.state.getPaths().some((path) => OF_PROGRAM.test(path)) && isStale(folder))
    run(folder, [join(root, "node_modules/tsup/dist/cli-default.js")]);
}

function run(cwd: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`);
}

/** Whether a source of the program, which is a bundle of packages, was changed after it was built. */
function isStale(folder: string): boolean {
  const built = join(folder, "dist/weft.js");
  if (!existsSync(built)) return true;
  const { mtimeMs } = statSync(built);
  const packages = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
  return [folder, ...packages].some((home) =>
    readdirSync(join(home, "src"), { recursive: true, encoding: "utf8" }).some(
      (name) => name.endsWith(".ts") && !name.endsWith(".test.ts") && statSync(join(home, "src", name)).mtimeMs > mtimeMs,
    ),
  );
}
