import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mergeCheckpoint } from "@weft/checkpoint/node";
import { ADAPTER_METHODS } from "@weft/methods";
import { build } from "esbuild";
import { chromium } from "playwright";
import { expect, it } from "vitest";
import { CHROMIUM_FLAGS, chromiumPath } from "../../../scripts/chromium.mjs";
import type { MergeAnswer } from "./merge-page.js";
import { servePage } from "./serve-page.js";

const executablePath = await chromiumPath();
const FIXTURES = join(import.meta.dirname, "../../../fixtures/peft");

it.skipIf(executablePath === undefined)(
  "a worker of a page merges files into its private file system, to the bytes that Node writes",
  async () => {
    const { outputFiles } = await build({
      entryPoints: [join(import.meta.dirname, "merge-page.ts")],
      bundle: true,
      minify: true,
      write: false,
      format: "esm",
      target: "es2022",
    });
    const out = mkdtempSync(join(tmpdir(), "weft-"));
    const server = await servePage<MergeAnswer>(outputFiles[0]!.text);
    const browser = await chromium.launch({ executablePath: executablePath!, args: CHROMIUM_FLAGS });
    try {
      server.use({ inWorker: true });
      const answer = server.next();
      await (await browser.newPage()).goto(server.origin);
      const { files, left, error } = await answer;
      expect(error).toBeUndefined();
      await mergeCheckpoint({
        base: join(FIXTURES, "llama_base"),
        adapters: [{ path: join(FIXTURES, "llama_lora"), scale: 0.5 }],
        methods: ADAPTER_METHODS,
        out: join(out, "merged"),
      });
      const hashOf = (name: string): string =>
        createHash("sha256")
          .update(readFileSync(join(out, "merged", name)))
          .digest("hex");
      expect(files).toEqual(Object.fromEntries(Object.keys(files!).map((name) => [name, hashOf(name)])));
      expect(left).toEqual(Object.keys(files!).sort());
      expect(left).toContain("model.safetensors.index.json");
    } finally {
      await browser.close();
      await server.close();
      rmSync(out, { recursive: true });
    }
  },
);
