// The published packages in the hands of bundlers, and their types as every resolver finds them: `npm run check -- --only consumers`. Needs a build and types.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import { build as esbuild } from "esbuild";
import { rollup } from "rollup";
import { build as vite } from "vite";
import webpack from "webpack";
import { outside, report, runNode } from "./outside.mjs";
import { root } from "./setup.mjs";

const ENTRY = "program.js";

/** Each bundles `at/program.js` into `out` for browsers, as its users set it up, and says what it warned of. */
const BUNDLERS = {
  async esbuild(at, out) {
    const { warnings } = await esbuild({
      absWorkingDir: at,
      entryPoints: [ENTRY],
      outdir: out,
      bundle: true,
      minify: true,
      splitting: true,
      format: "esm",
      target: "es2022",
      logLevel: "silent",
    });
    return warnings.map(({ text }) => text);
  },
  async rollup(at, out) {
    const warnings = [];
    const bundle = await rollup({
      input: join(at, ENTRY),
      plugins: [nodeResolve({ browser: true })],
      onwarn: ({ message }) => warnings.push(message),
    });
    await bundle.write({ dir: out, format: "es" });
    await bundle.close();
    return warnings;
  },
  async vite(at, out) {
    const warnings = [];
    const logger = {
      info() {},
      warn: (text) => warnings.push(text),
      warnOnce: (text) => warnings.push(text),
      error: (text) => warnings.push(text),
    };
    await vite({
      root: at,
      configFile: false,
      logLevel: "warn",
      customLogger: { ...logger, clearScreen() {}, hasErrorLogged: () => false, hasWarned: false },
      build: {
        outDir: out,
        // What is loaded later would be announced to a document, which Node has not.
        modulePreload: false,
        rollupOptions: { input: join(at, ENTRY), preserveEntrySignatures: "strict", output: { entryFileNames: ENTRY } },
      },
    });
    return warnings;
  },
  async webpack(at, out) {
    const compiler = webpack({
      mode: "production",
      target: "web",
      context: at,
      entry: `./${ENTRY}`,
      experiments: { outputModule: true },
      output: { path: out, filename: ENTRY, module: true, library: { type: "module" } },
      performance: { hints: false },
    });
    const stats = await new Promise((done, fail) => compiler.run((error, result) => (error ? fail(error) : done(result))));
    await new Promise((done) => compiler.close(done));
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    return [...errors, ...warnings].map(({ message }) => message);
  },
};

await outside(async ({ at, tarballs }) => {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    const out = join(at, "dist", name);
    const warnings = await bundle(at, out).catch((error) => [error.message]);
    const ran = warnings.length > 0 ? [] : runNode(["forward.mjs", join(out, ENTRY), join(root, "fixtures/peft")], at).complaints;
    report(`${name}, ${warnings.length > 0 ? "not bundled" : `${readdirSync(out).length} files, run`}`, [...warnings, ...ran]);
  }
  const attw = join(root, "node_modules/@arethetypeswrong/cli/dist/index.js");
  for (const [name, file] of tarballs)
    if (name !== "@weft/cli") report(`types of ${name}`, runNode([attw, file, "--profile", "esm-only"], at).complaints);
});
