import { cpSync } from "node:fs";
import { defineConfig } from "tsup";

/** What `weft studio` serves, and what its engine opens: the page, and a tiny model with its text. */
function copyStudio(): void {
  cpSync("../studio/dist/app", "dist/studio/app", { recursive: true });
  for (const folder of ["models/llama", "texts"])
    cpSync(`../../packages/tiny-models/${folder}`, `dist/studio/${folder}`, { recursive: true });
}

/** One self-contained program: commands are chunks that load when they are called, so that start-up pays for nothing else. */
export default defineConfig({
  entry: {
    weft: "src/weft.ts",
    // What tests run in a process that has loaded it; not published.
    main: "src/main.ts",
    "checkpoint-worker": "src/checkpoint-worker.ts",
    "studio-engine": "src/studio-engine.ts",
    "webgpu-probe": "src/webgpu-probe.ts",
    "onnx-probe": "src/onnx-probe.ts",
    "core/index": "src/core/index.ts",
    "core/linalg": "src/core/linalg.ts",
    "core/methods": "src/core/methods.ts",
    "core/prompt": "src/core/prompt.ts",
  },
  format: "esm",
  target: "node20",
  platform: "node",
  splitting: true,
  clean: ["dist/*.js", "dist/core/*.js", "dist/studio/**"],
  onSuccess: async () => copyStudio(),
  minify: false,
  noExternal: [/^@weft\//, "commander", "@commander-js/extra-typings", "re2js", "yaml"],
  external: ["webgpu"],
  // commander is CommonJS inside.
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
});
