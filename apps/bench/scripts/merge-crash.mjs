// Kills a merge at random moments and starts it again until it is done; the result must equal an undisturbed one, file by file.
// Usage: node merge-crash.mjs BASE ADAPTER OUT [rounds] [seed]
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const [base, adapter, out, roundsText = "3", seedText = "1"] = process.argv.slice(2);
const cli = fileURLToPath(new URL("../../cli/dist/weft.js", import.meta.url));
const args = (folder, ...more) => [cli, "merge", base, "-a", adapter, "-o", folder, "--quiet", ...more];

async function hashes(folder) {
  const result = {};
  for (const name of readdirSync(folder).sort()) {
    const hash = createHash("sha256");
    for await (const piece of createReadStream(join(folder, name))) hash.update(piece);
    result[name] = hash.digest("hex");
  }
  return JSON.stringify(result);
}

rmSync(out, { recursive: true, force: true });
const started = performance.now();
if (spawnSync(process.execPath, args(join(out, "whole")), { stdio: "inherit" }).status !== 0) process.exit(1);
const full = performance.now() - started;
const want = await hashes(join(out, "whole"));
let seed = Number(seedText);
const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
for (let round = 0; round < Number(roundsText); round++) {
  const folder = join(out, "crashed");
  rmSync(folder, { recursive: true, force: true });
  let kills = 0;
  for (;;) {
    const jobs = String(1 + Math.floor(random() * 2));
    const child = spawn(process.execPath, args(folder, "--jobs", jobs), { stdio: "inherit" });
    const timer = setTimeout(() => child.kill("SIGKILL"), kills < 6 ? random() * full : 1e9);
    const code = await new Promise((resolve) => child.on("exit", (c, signal) => resolve(signal ?? c)));
    clearTimeout(timer);
    if (code === 0) break;
    if (code !== "SIGKILL") throw new Error(`the resumed merge ended with ${code}`);
    kills++;
  }
  const same = (await hashes(folder)) === want;
  process.stdout.write(`round ${round + 1}: killed ${kills} times, ${same ? "identical" : "DIFFERENT"}\n`);
  if (!same) process.exitCode = 1;
}
rmSync(out, { recursive: true, force: true });
