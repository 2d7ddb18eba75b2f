import { defineConfig } from "tsup";

/** One self-contained program: commands are chunks that load when they are called, so that start-up pays for nothing else. */
export default defineConfig({
  entry: {
    weft: "src/weft.ts",
    // What tests run in a process that has loaded it; not published.
    main: "src/main.ts",
    "checkpoint-worker": "src/checkpoint-worker.ts",
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
  clean: ["dist/*.js", "dist/core/*.js"],
  minify: false,
  noExternal: [/^@weft\//, "commander", "@commander-js/extra-typings", "re2js", "yaml"],
  external: ["webgpu"],
  // commander is CommonJS inside.
  banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
});
