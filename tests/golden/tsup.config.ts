import { defineConfig } from "tsup";

export default defineConfig({
  entry: [
    "src/run.ts",
    "src/write-adapters.ts",
    "src/differential.ts",
    "src/answer-gguf.ts",
    "src/answer-models.ts",
    "src/answer-tokenizers.ts",
    "src/answer-chat.ts",
  ],
  format: "esm",
  target: "node20",
  platform: "node",
  clean: true,
  noExternal: [/^@weft\//, "re2js", "@huggingface/jinja"],
  external: ["webgpu"],
});
