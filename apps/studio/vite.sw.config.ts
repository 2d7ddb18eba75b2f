import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { defineConfig } from "vite";
import { HEADERS } from "./headers.mjs";

const APP = join(import.meta.dirname, "dist/app");

/** Every file of the app with its hash, in a fixed order. */
const files = readdirSync(APP, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== "sw.js")
  .map(({ parentPath, name }) => relative(APP, join(parentPath, name)).split(sep).join("/"))
  .toSorted();
const hash = createHash("sha256").update(JSON.stringify(HEADERS));
for (const file of files) hash.update(file).update(readFileSync(join(APP, file)));

/** The service worker: one file without imports, which knows all others. */
export default defineConfig({
  publicDir: false,
  define: {
    FILES: JSON.stringify(files),
    VERSION: JSON.stringify(hash.digest("hex").slice(0, 16)),
    HEADERS: JSON.stringify(HEADERS),
  },
  build: {
    outDir: "dist/app",
    emptyOutDir: false,
    target: "es2022",
    reportCompressedSize: false,
    rollupOptions: { input: "src/sw.ts", output: { format: "iife", entryFileNames: "sw.js" } },
  },
});
