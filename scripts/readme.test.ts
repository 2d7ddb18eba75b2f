import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Packages whose own tests run their example. */
const TESTED_THEMSELVES = new Set(["registry", "kernels-webgpu", "models"]);
const pages = [
  { page: "README.md", from: join(root, "tests/golden") },
  ...readdirSync(join(root, "packages"))
    .filter((name) => !TESTED_THEMSELVES.has(name) && existsSync(join(root, "packages", name, "README.md")))
    .map((name) => ({ page: `packages/${name}/README.md`, from: join(root, "tests/golden") })),
];

describe.each(pages)("the examples of $page", ({ page, from }) => {
  const blocks = [...readFileSync(join(root, page), "utf8").matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!);
  it("exist", () => expect(blocks.length).toBeGreaterThan(0));
  it.each(blocks.map((code, i) => [i + 1, code] as const))("number %i runs", async (_, code) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-readme-"));
    try {
      // Every package is a dependency of the golden runner, so imports are resolved from there.
      const { outputFiles } = await build({ stdin: { contents: code, loader: "ts", resolveDir: from }, bundle: true, format: "esm", platform: "node", target: "node20", write: false, external: ["webgpu"], banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' } });
      const file = join(folder, "example.mjs");
      writeFileSync(file, outputFiles[0]!.contents);
      const { status, stderr } = spawnSync(process.execPath, [file], { cwd: root, encoding: "utf8", timeout: 50_000 });
      expect(stderr).toBe("");
      expect(status).toBe(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
