// Runs TypeScript that uses the packages of this repository: `node scripts/run-example.mjs examples/node-merge/merge.ts ARGUMENTS`.
// A published package is plain JavaScript and needs none of this; here the packages' entry points are their sources.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isMain, root } from "./setup.mjs";

/**
 * Bundles TypeScript and runs it with Node from the root of the repository.
 * @param {string} code the program
 * @param {string[]} args what it finds in `process.argv` from index 2 on
 * @param {"pipe" | "inherit"} stdio "pipe" to get the output back
 */
export async function runExample(code, args = [], stdio = "pipe") {
  const { build } = await import("esbuild");
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache", "example-"));
  try {
    // Every package is a dependency of the golden runner, so imports are resolved from there. `webgpu` is native and optional.
    const { outputFiles } = await build({
      nodePaths: [join(root, "node_modules")],
      stdin: { contents: code, loader: "ts", resolveDir: join(root, "tests/golden") },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      write: false,
      external: ["webgpu"],
      banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    });
    const file = join(folder, "example.mjs");
    writeFileSync(file, outputFiles[0].contents);
    return spawnSync(process.execPath, [file, ...args], { cwd: root, encoding: "utf8", stdio, timeout: 50_000 });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (isMain(import.meta.url)) {
  const [file, ...args] = process.argv.slice(2);
  if (!file) {
    process.stderr.write("usage: node scripts/run-example.mjs FILE.ts [ARGUMENTS]\n");
    process.exit(2);
  }
  const { install } = await import("./setup.mjs");
  install();
  const { status } = await runExample(readFileSync(file, "utf8"), args, "inherit");
  process.exitCode = status ?? 1;
}
