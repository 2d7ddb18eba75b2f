// Are the types wrong? Packs each package as it would be published and resolves its entries as ESM users do. Needs a build.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pnpm, root } from "./setup.mjs";

const folder = mkdtempSync(join(tmpdir(), "weft-pack-"));
try {
  pnpm(["--recursive", "--filter", "./packages/*", "exec", "pnpm", "pack", "--pack-destination", folder]);
  for (const file of readdirSync(folder)) {
    const { status, stdout, stderr } = spawnSync(join(root, "node_modules/.bin/attw"), [join(folder, file), "--profile", "esm-only"], {
      encoding: "utf8",
      env: { ...process.env, NO_COLOR: "1" },
    });
    if (status === 0) continue;
    process.stdout.write(`${file}\n${stdout}${stderr}`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
