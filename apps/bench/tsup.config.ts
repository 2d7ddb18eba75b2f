import { defineConfig } from "tsup";

export default defineConfig({
  entry: { bench: "src/main.ts", "large-model": "src/suites/core/large-model.ts", trainer: "src/suites/train/train-worker.ts" },
  format: "esm",
  target: "node20",
  platform: "node",
  clean: ["dist/*.js"],
  noExternal: [/^@weft\//],
});
