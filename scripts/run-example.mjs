// Runs TypeScript that uses the packages of this repository: `node scripts/run-example.mjs examples/node-merge/merge.ts ARGUMENTS`.
// A published package is plain JavaScript and needs none of this; here the packages' entry points are their sources.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { isMain, root } from "./setup.mjs";
import { prepareSwiftShader } from "./swiftshader.mjs";

/** `webgpu` is native, so it stays outside of the bundle, and optional; it is the dependency of one package. */
const WEBGPU = {
  name: "webgpu",
  /** @param {import("esbuild").PluginBuild} build */
  setup(build) {
    const { resolve } = createRequire(join(root, "packages/kernels-webgpu/package.json"));
    build.onResolve({ filter: /^webgpu$/ }, ({ path }) => {
      try {
        return { path: pathToFileURL(resolve(path)).href, external: true };
      } catch {
        return { path, external: true };
      }
    });
  },
};

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
    // Every package is a dependency of the golden runner, so imports are resolved from there.
    const { outputFiles } = await build({
      nodePaths: [join(root, "node_modules")],
      stdin: { contents: code, loader: "ts", resolveDir: join(root, "tests/golden") },
      bundle: true,
      format: "esm",
      platform: "node",
      target: "node20",
      write: false,
      plugins: [WEBGPU],
      banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
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
  prepareSwiftShader();
  const { status } = await runExample(readFileSync(file, "utf8"), args, "inherit");
  process.exitCode = status ?? 1;
}
