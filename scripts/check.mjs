// One command for everything that must hold: `npm run check`, or some of it: `npm run check -- --only layers,lint`.
import { spawn } from "node:child_process";
import { availableParallelism } from "node:os";
import { delimiter, join } from "node:path";
import { install, isMain, root } from "./setup.mjs";
import { libraries } from "./workspace.mjs";

/** Each is one command or several, of programs in node_modules/.bin or node. */
const CHECKS = {
  build: [["node", "scripts/build.mjs"]],
  types: [["tsc", "-b"]],
  lint: [["oxlint", "--quiet", "packages", "apps", "tests", "scripts", "examples"]],
  format: [["oxfmt", "--check", "."]],
  unused: [["knip", "--no-progress"]],
  layers: [["node", "scripts/layers.mjs"]],
  // Of files, whatever they import of each other: types, too.
  circular: [
    "dpdm --skip-dynamic-imports circular --no-warning --no-tree --exit-code circular:1".split(" ").concat(
      ["packages", "apps", "tests", "examples"].map((folder) => `${folder}/*/**/*.ts`),
      "--exclude",
      "node_modules|/dist/",
    ),
  ],
  publint: libraries.map((name) => ["publint", "--strict", "--pack", "false", `packages/${name}`]),
  tarballs: [["node", "scripts/tarballs.mjs"]],
  consumers: [["node", "scripts/consumers.mjs"]],
  compatibility: [["node", "scripts/compatibility.mjs", "--check"]],
  documented: [["node", "scripts/docs.mjs", "--check"]],
  size: [["node", "scripts/size.mjs"]],
};
/** These read the declarations that `types` writes. */
const OF_TYPES = ["publint", "tarballs", "consumers"];
/** What these print is worth reading when nothing is wrong, too. */
const SHOWN = ["size", "consumers"];

function run([command, ...args]) {
  const path = [join(root, "node_modules/.bin"), process.env.PATH].join(delimiter);
  // What npm installs as a program is a script on Windows, which only a shell runs.
  const child = spawn(command, args, { shell: process.platform === "win32", cwd: root, env: { ...process.env, PATH: path } });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (stderr += text));
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ status: 1, stdout, stderr: `${stderr}${error.message}\n` }));
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** @returns whether all commands of a check succeed */
async function holds(name) {
  const started = Date.now();
  const results = [];
  for (const command of CHECKS[name]) results.push(await run(command));
  const ok = results.every(({ status }) => status === 0);
  process.stdout.write(`${ok ? "ok  " : "FAIL"} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)\n`);
  for (const { status, stdout, stderr } of results)
    if (status !== 0) process.stdout.write(`${stdout}${stderr}\n`);
    else if (SHOWN.includes(name)) process.stdout.write(stdout);
  if (!ok) process.stdout.write(`  again: npm run check -- --only ${name}\n`);
  return ok;
}

/** Runs the checks of these names, as many at once as there are cores. @returns what failed */
export async function check(names) {
  const failed = [];
  const work = async (queue) => {
    for (let name = queue.shift(); name; name = queue.shift()) if (!(await holds(name))) failed.push(name);
  };
  const together = (queue) => Promise.all(Array.from({ length: availableParallelism() }, () => work(queue)));
  // What others read is built before them; types take longest of those that remain.
  await together(names.filter((name) => name === "build"));
  await together([...names.filter((name) => name === "types"), ...names.filter((name) => !["build", "types", ...OF_TYPES].includes(name))]);
  await together(names.filter((name) => OF_TYPES.includes(name)));
  return { failed, passed: names.length - failed.length };
}

if (isMain(import.meta.url)) {
  install();
  const asked = process.argv.slice(2).filter((word) => word !== "--only");
  const names = asked.length > 0 ? asked.flatMap((word) => word.split(",")) : Object.keys(CHECKS);
  const unknown = names.filter((name) => !(name in CHECKS));
  if (unknown.length > 0) {
    process.stderr.write(`there is no check ${unknown.join(", ")}; there are ${Object.keys(CHECKS).join(", ")}\n`);
    process.exit(2);
  }
  process.exitCode = (await check(names)).failed.length > 0 ? 1 : 0;
}
