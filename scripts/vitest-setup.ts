import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { prepareSwiftShader } from "./swiftshader.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
/** Tests that run the built page, and those that run the built program, which has the page in it. */
const OF_STUDIO = /[/\\]apps[/\\]studio[/\\]/;
const OF_PROGRAM = /[/\\](apps[/\\](cli|studio)|examples[/\\]own-method)[/\\]/;
const CLI = join(root, "apps/cli");
const STUDIO = join(root, "apps/studio");
const VITE = join(root, "node_modules/vite/bin/vite.js");

/** Before all tests: the WebAssembly modules are built from their sources, a software GPU is at hand where no other is, and page and program are no older than their sources. */
export default function setup({ vitest }: TestProject): void {
  run(join(root, "packages/kernels-wasm"), [join(root, "packages/kernels-wasm/scripts/build-wasm.mjs")]);
  prepareSwiftShader();
  const runs = (tests: RegExp): boolean => vitest.state.getPaths().some((path) => tests.test(path));
  if (runs(OF_STUDIO) && isStale(join(STUDIO, "dist/app/sw.js"), [STUDIO]))
    for (const config of ["vite.config.ts", "vite.sw.config.ts"]) run(STUDIO, [VITE, "build", "--logLevel", "warn", "-c", config]);
  if (runs(OF_PROGRAM) && isStale(join(CLI, "dist/weft.js"), [CLI, STUDIO]))
    run(CLI, [join(root, "node_modules/tsup/dist/cli-default.js")]);
}

function run(cwd: string, args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} failed:\n${stdout}${stderr}`);
}

/** Whether a source of what is bundled, of packages or of these apps, was changed after it was built. */
function isStale(built: string, apps: readonly string[]): boolean {
  if (!existsSync(built)) return true;
  const { mtimeMs } = statSync(built);
  const packages = readdirSync(join(root, "packages")).map((name) => join(root, "packages", name));
  return [...apps, ...packages].some((home) =>
    readdirSync(join(home, "src"), { recursive: true, encoding: "utf8" }).some(
      (name) => /(?<!\.test)\.(tsx?|css)$/.test(name) && statSync(join(home, "src", name)).mtimeMs > mtimeMs,
    ),
  );
}
