// The packages as they would be published: packed, looked into, resolved as ESM users do, and compiled against outside the workspace. Needs a build and types.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pnpm, root } from "./setup.mjs";

const folder = mkdtempSync(join(tmpdir(), "weft-pack-"));
const installed = join(folder, "user/node_modules");

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" }, ...options });
  if (status === 0) return stdout;
  process.stdout.write(`${command} ${args.join(" ")}\n${stdout}${stderr}`);
  process.exitCode = 1;
  return stdout;
}

/** Unpacks a tarball to where a package manager would put it. @returns the package's name */
function install(file) {
  const at = join(folder, "unpacked");
  mkdirSync(at);
  run("tar", ["-xzf", join(folder, file), "-C", at]);
  const { name } = JSON.parse(readFileSync(join(at, "package/package.json"), "utf8"));
  mkdirSync(join(installed, name, ".."), { recursive: true });
  renameSync(join(at, "package"), join(installed, name));
  rmSync(at, { recursive: true });
  return name;
}

/** What is for the workspace only, and what must not be missing. */
function look(name) {
  const files = readdirSync(join(installed, name), { recursive: true });
  const { exports } = JSON.parse(readFileSync(join(installed, name, "package.json"), "utf8"));
  const stray = files.filter(
    (path) => /\.test\.|\.tsbuildinfo$|(^|\/)(fixtures|src)(\/|$)/.test(path) || (!exports["./testing"] && /\/testing(\/|$)/.test(path)),
  );
  const missing = ["README.md", "dist/index.js", "dist/index.d.ts"].filter((path) => !files.includes(path));
  if (stray.length + missing.length === 0) return;
  process.stdout.write(
    `${name}: the tarball has ${stray.join(", ") || "nothing"} that is not for users, and lacks ${missing.join(", ") || "nothing"}\n`,
  );
  process.exitCode = 1;
}

/** Compiles a program of somebody's strictly, with TypeScript's two ways of finding packages. */
function compile(program, { types, lib }) {
  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const compilerOptions = {
      target: "es2022",
      lib,
      types,
      module,
      moduleResolution,
      strict: true,
      skipLibCheck: false,
      declaration: true,
      outDir: "out",
    };
    const config = join(folder, "user", `tsconfig.${program}.${moduleResolution}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions, files: [`${program}.ts`] }));
    run("node", [join(root, "node_modules/typescript/bin/tsc"), "-p", config], { cwd: join(folder, "user") });
  }
}

try {
  pnpm(["--recursive", "--filter", "./packages/*", "exec", "pnpm", "pack", "--pack-destination", folder]);
  for (const file of readdirSync(folder).filter((name) => name.endsWith(".tgz"))) {
    run(join(root, "node_modules/.bin/attw"), [join(folder, file), "--profile", "esm-only"]);
    look(install(file));
  }
  // Dependencies from outside, as they lie in the workspace.
  const from = (owner, name) => join(root, owner, "node_modules", name);
  for (const [owner, name] of [
    ["packages/registry", "re2js"],
    ["packages/kernels-webgpu", "@webgpu/types"],
    [".", "@types/node"],
  ])
    cpSync(from(owner, name), join(installed, name), { recursive: true, dereference: true });
  const types = realpathSync(from(".", "@types/node"));
  cpSync(join(types, "../../undici-types"), join(installed, "undici-types"), { recursive: true, dereference: true });
  writeFileSync(join(folder, "user/package.json"), JSON.stringify({ type: "module" }));
  for (const program of ["page", "node"]) cpSync(join(root, "scripts/consumer", `${program}.ts`), join(folder, "user", `${program}.ts`));
  compile("page", { types: [], lib: ["es2022", "dom", "dom.iterable"] });
  compile("node", { types: ["node"], lib: ["es2022"] });

  // The program has nothing beside itself, and needs nothing.
  const program = join(folder, "program");
  mkdirSync(program);
  pnpm(["--filter", "@weft/cli", "exec", "pnpm", "pack", "--pack-destination", program]);
  const name = install(join("program", readdirSync(program)[0]));
  const stray = readdirSync(join(installed, name), { recursive: true }).filter((path) => /\.ts$|types|\.map$/.test(path));
  const said = run(process.execPath, [join(installed, name, "dist/weft.js"), "inspect", join(root, "fixtures/peft/llama_lora")]);
  if (stray.length > 0 || !said.includes("LORA (peft keys)")) {
    process.stdout.write(`${name}: the tarball has ${stray.join(", ") || "nothing"} that is not for users; inspect said: ${said}\n`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
