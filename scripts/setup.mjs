// Installs what the workspace needs, with nothing but Node and npm on the machine. Does nothing when that is done already.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const PNPM = "pnpm@10.34.9";
export const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Whether a module is the program that Node was started with, under whatever name of its file. */
export const isMain = (url) => process.argv[1] !== undefined && url === pathToFileURL(realpathSync(process.argv[1])).href;

/** `spawnSync` of npm or npx, which are scripts on Windows that only a shell runs. */
function spawnScript(command, args, options) {
  const shell = process.platform === "win32";
  return spawnSync(command, shell ? args.map((arg) => `"${arg}"`) : args, { shell, ...options });
}

export const spawnNpm = (args, options) => spawnScript("npm", args, options);
export const spawnNpx = (args, options) => spawnScript("npx", args, options);

/** Runs a command; its output is shown only if it fails or `show` is set. Ends the process when it fails. */
function must(command, args, { show = false, cwd = root, env = process.env } = {}) {
  const result = spawnScript(command, args, { cwd, env, stdio: show ? "inherit" : "pipe", encoding: "utf8", maxBuffer: 1 << 28 });
  if (result.status === 0) return result;
  if (!show) process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}`);
  process.stderr.write(
    `${command} ${args.join(" ")} failed${result.error ? `: ${result.error.message}` : ` with exit code ${result.status}`}\n`,
  );
  process.exit(1);
}

export const npm = (args, options) => must("npm", args, options);
export const npx = (args, options) => must("npx", args, options);

export function pnpm(args, options) {
  return npx(["--yes", PNPM, ...args], options);
}

/** The installed state is named by the lockfile and by what was asked for. */
function stamp(scope) {
  return createHash("sha256")
    .update(readFileSync(join(root, "pnpm-lock.yaml")))
    .update(scope)
    .digest("hex");
}

/** Installs the workspace, or with `filter` only what some packages need. */
export function install(filter) {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    process.stderr.write(`weft needs Node 20.19 or later, this is ${process.versions.node}\n`);
    process.exit(1);
  }
  const file = join(root, "node_modules", ".weft-installed");
  const done = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  if (done.includes(stamp("all")) || (filter && done.includes(stamp(filter)))) return;
  process.stdout.write("installing dependencies …\n");
  // A narrower installation before this one may have to be replaced, which pnpm would ask about on a terminal.
  pnpm(["install", "--frozen-lockfile", "--config.confirmModulesPurge=false", ...(filter ? ["--filter", filter] : [])]);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, [...done, stamp(filter ?? "all")].join("\n"));
}

if (isMain(import.meta.url)) install(process.argv[2]);
