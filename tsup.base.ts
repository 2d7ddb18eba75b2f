import { defineConfig, type Options } from "tsup";

/** What `tsc -b` writes into the same folder; everything else there is a bundle of before. */
const KEPT = ["!**/*.d.ts", "!**/*.tsbuildinfo"];

/** The one build of every library package: ESM for Node ≥ 20.19 and browsers; types come from `tsc -b`. */
export function library(entry: string[], define: Options["define"] = {}): Options | Options[] | ((o: Options) => Options) | unknown {
  return defineConfig({
    entry,
    define,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    splitting: true,
    clean: KEPT,
    external: [/^node:/],
  });
}
