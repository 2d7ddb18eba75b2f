// Runs TypeScript that uses the packages of this repository: `node scripts/run-example.mjs examples/node-merge/merge.ts ARGUMENTS`.
// A published package is plain JavaScript and needs none of this; here the packages' entry points are their sources.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve as absolute } from "node:path";
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

/** Files that lie beside the code of a package, from which a bundle takes the code away: `from` says beside what. @type {(name: string, filter: RegExp, from: (path: string) => string) => import("esbuild").Plugin} */
const beside = (name, filter, from) => ({
  name,
  setup(build) {
    build.onLoad({ filter }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(from(path)).href)),
      loader: "ts",
    }));
  },
});
const TINY_MODELS = beside("tiny-models", /[\\/]tiny-models[\\/]src[\\/]urls\.ts$/, (path) => path);
/** The program of the agent's workers is one that is built. */
const AGENT = beside("agent", /[\\/]agent[\\/]src[\\/]executor[\\/]program\.ts$/, () => join(root, "packages/agent/dist/index.js"));

/**
 * Bundles programs in TypeScript together, so that what several of them import is bundled once.
 * @param {readonly string[]} codes the programs
 * @returns `run` runs one of them by Node from the root of the repository; `remove` deletes the bundles
 */
export async function bundleExamples(codes) {
  const { build } = await import("esbuild");
  mkdirSync(join(root, ".cache"), { recursive: true });
  const folder = mkdtempSync(join(root, ".cache", "example-"));
  const remove = () => rmSync(folder, { recursive: true });
  const programs = {
    name: "programs",
    /** @param {import("esbuild").PluginBuild} bundle */
    setup(bundle) {
      bundle.onResolve({ filter: /^program \d+$/ }, ({ path }) => ({ path, namespace: "program" }));
      // Every package is a dependency of the golden runner, so imports are resolved from there.
      bundle.onLoad({ filter: /./, namespace: "program" }, ({ path }) => ({
        contents: codes[Number(path.split(" ")[1])],
        loader: "ts",
        resolveDir: join(root, "tests/golden"),
      }));
    },
  };
  try {
    await build({
      nodePaths: [join(root, "node_modules")],
      entryPoints: codes.map((_, i) => ({ in: `program ${i}`, out: String(i) })),
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      plugins: [WEBGPU, TINY_MODELS, AGENT, programs],
      banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
    });
  } catch (error) {
    remove();
    throw error;
  }
  return {
    /**
     * @param {string} code one of the programs
     * @param {string[]} args what it finds in `process.argv` from index 2 on
     * @param {"pipe" | "inherit"} stdio "pipe" to get the output back
     */
    run: (code, args = [], stdio = "pipe") =>
      spawnSync(process.execPath, [join(folder, `${codes.indexOf(code)}.mjs`), ...args], {
        cwd: root,
        encoding: "utf8",
        stdio,
        // A test that hangs fails; who runs a program by hand may wait.
        ...(stdio === "pipe" && { timeout: 50_000 }),
      }),
    remove,
  };
}

/** Bundles one program, and runs it once. @type {(code: string, args?: string[], stdio?: "pipe" | "inherit") => Promise<import("node:child_process").SpawnSyncReturns<string>>} */
export async function runExample(code, args, stdio) {
  const { run, remove } = await bundleExamples([code]);
  try {
    return run(code, args, stdio);
  } finally {
    remove();
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
  // One with a package.json has several files, and dependencies of its own.
  const own = existsSync(join(dirname(file), "package.json"));
  const { status } = await runExample(own ? `import ${JSON.stringify(absolute(file))};` : readFileSync(file, "utf8"), args, "inherit");
  process.exitCode = status ?? 1;
}
