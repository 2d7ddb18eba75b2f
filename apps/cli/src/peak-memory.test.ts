import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { build } from "esbuild";
import { peakMemory } from "./peak-memory.js";

it("is the process's own, not that of a large one that started it", async () => {
  const ballast = Buffer.alloc(400 << 20, 1);
  const { outputFiles } = await build({
    stdin: {
      contents: 'import { peakMemory } from "./peak-memory.ts"; console.log(peakMemory());',
      resolveDir: fileURLToPath(new URL(".", import.meta.url)),
    },
    bundle: true,
    platform: "node",
    format: "cjs",
    write: false,
  });
  const own = Number(spawnSync(process.execPath, ["-e", outputFiles[0]!.text], { encoding: "utf8" }).stdout);
  expect(own).toBeGreaterThan(10 << 20);
  // On Linux; elsewhere the system's counter is all there is, and begins at nothing.
  expect(own).toBeLessThan(200 << 20);
  expect(peakMemory()).toBeGreaterThan(ballast.length);
});
