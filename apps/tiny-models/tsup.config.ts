import { defineConfig } from "tsup";

export default defineConfig({
  entry: ["src/main.ts"],
  format: "esm",
  target: "node20",
  platform: "node",
  clean: ["dist/*.js"],
  noExternal: [/^@weft\//, "re2js"],
});
