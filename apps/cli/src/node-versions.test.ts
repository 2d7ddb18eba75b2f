import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FIXTURES, PROGRAM, temporaryFolder } from "./testing/cli.js";

/** The executable of a version of Node: the running one, or npm's package of it; undefined where that cannot be had. */
function nodeOf(major: number): string | undefined {
  if (Number(process.versions.node.split(".")[0]) === major) return process.execPath;
  const { status, stdout } = spawnSync("npx", ["--yes", "--prefer-offline", `node@${major}`, "-p", "process.execPath"], {
    encoding: "utf8",
    timeout: 90_000,
    shell: process.platform === "win32",
  });
  return status === 0 ? stdout.trim().split("\n").at(-1) : undefined;
}

describe.each([20, 22, 24])("on Node %i", (major) => {
  const folder = temporaryFolder();

  it("merges without a word that is not ours", { timeout: 180_000 }, ({ skip }) => {
    const node = nodeOf(major);
    if (node === undefined) return skip(`Node ${major} is neither running nor to be had from npm`);
    const out = join(folder, "merged");
    rmSync(out, { recursive: true, force: true });
    const args = [PROGRAM, "merge", join(FIXTURES, "peft/llama_base"), "-a", join(FIXTURES, "peft/llama_lora"), "-o", out, "--quiet"];
    const ran = spawnSync(node, args, { encoding: "utf8" });
    expect([ran.status, ran.stderr]).toEqual([0, ""]);
    const doctor = spawnSync(node, [PROGRAM, "doctor", "--json"], { encoding: "utf8" });
    expect(doctor.stderr).toBe("");
    const { findings } = JSON.parse(doctor.stdout) as { findings: { what: string; level: string; found: string }[] };
    expect(findings).toContainEqual(
      expect.objectContaining({ what: "relaxed SIMD", level: "ok", found: major < 22 ? "yes, switched on when needed" : "yes" }),
    );
  });
});
