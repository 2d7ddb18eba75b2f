// A project outside of the workspace that has the packages as they would be published: packed by pnpm, installed by npm.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { npm, pnpm, root } from "./setup.mjs";
import { published } from "./workspace.mjs";

/** Packs packages without building them. @returns path of each tarball by the package's name */
export function pack(folder, packages = published) {
  if (packages.length === 0) return new Map();
  mkdirSync(folder, { recursive: true });
  const filters = packages.flatMap(({ manifest }) => ["--filter", manifest.name]);
  pnpm(["--recursive", ...filters, "--config.ignore-scripts=true", "pack", "--pack-destination", folder]);
  return new Map(
    packages.map(({ manifest: { name, version } }) => [name, join(folder, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`)]),
  );
}

/** Runs a program of Node's. @returns what it printed, and as complaints the same if it failed */
export function runNode(args, cwd) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } });
  return { stdout, complaints: status === 0 ? [] : [`node ${args.join(" ")}\n${stdout}${stderr}`] };
}

/** Prints what is wrong with something; anything fails the check. */
export function report(name, complaints) {
  process.stdout.write(
    `  ${complaints.length === 0 ? "ok  " : "FAIL"} ${name}${complaints.map((text) => `\n       ${text.trim()}`).join("")}\n`,
  );
  if (complaints.length > 0) process.exitCode = 1;
}

/**
 * Makes the project, with the programs of scripts/consumer in it, calls `use`, and removes it again. The path has a space in it, as users' have.
 * @param {(project: { at: string, installed: string, tarballs: Map<string, string> }) => unknown} use
 */
export async function outside(use) {
  const folder = mkdtempSync(join(tmpdir(), "weft outside "));
  try {
    const at = join(folder, "user");
    const tarballs = pack(join(folder, "tarballs"));
    mkdirSync(at);
    // Of the registry's packages the versions that the workspace has.
    const version = (owner, name) => JSON.parse(readFileSync(join(root, owner, "node_modules", name, "package.json"), "utf8")).version;
    const dependencies = Object.fromEntries([...tarballs].map(([name, file]) => [name, `file:${file}`]));
    const devDependencies = {
      "@types/node": version(".", "@types/node"),
      "@webgpu/types": version("packages/kernels-webgpu", "@webgpu/types"),
    };
    writeFileSync(join(at, "package.json"), JSON.stringify({ private: true, type: "module", dependencies, devDependencies }));
    npm(["install", "--prefer-offline", "--no-audit", "--no-fund", "--no-package-lock"], { cwd: at });
    cpSync(join(root, "scripts/consumer"), at, { recursive: true });
    await use({ at, installed: join(at, "node_modules"), tarballs });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
