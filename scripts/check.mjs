// One command for everything that must hold: `npm run check`, or `npm run check -- --only types,lint`.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { install, isMain, root } from "./setup.mjs";

const packages = readdirSync(`${root}/packages`).filter((name) => existsSync(`${root}/packages/${name}/package.json`));
const each = (command) => packages.map((name) => `(cd packages/${name} && ${command})`).join(" && ");

const CHECKS = [
  { name: "build", command: "node scripts/build.mjs" },
  { name: "lint", command: "oxlint --quiet packages apps tests scripts examples" },
  { name: "format", command: "oxfmt --check ." },
  { name: "unused", command: "knip --no-progress" },
  { name: "layers", command: "node scripts/layers.mjs" },
  {
    name: "circular",
    command: `dpdm --transform --skip-dynamic-imports circular --no-warning --no-tree --exit-code circular:1 ${packages.map((n) => `packages/${n}/src/index.ts`).join(" ")}`,
  },
  { name: "publint", command: each("publint --strict --pack false . >/dev/null || publint --pack false .") },
  { name: "tarballs", command: "node scripts/tarballs.mjs" },
  { name: "compatibility", command: "node scripts/compatibility.mjs --check" },
  { name: "size", command: "node scripts/size.mjs" },
];

/** Runs the checks. @returns what failed */
export function check(only) {
  const failed = [];
  for (const { name, command } of CHECKS.filter((c) => !only || only.includes(c.name))) {
    const started = Date.now();
    const result = spawnSync("bash", ["-c", command], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, PATH: `${root}/node_modules/.bin:${process.env.PATH}` },
      maxBuffer: 1 << 28,
    });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    const ok = result.status === 0;
    process.stdout.write(`${ok ? "ok  " : "FAIL"} ${name} (${seconds} s)\n`);
    if (name === "size") process.stdout.write(result.stdout);
    if (ok) continue;
    failed.push(name);
    process.stdout.write(`${result.stdout}${result.stderr}\n  again: npm run check -- --only ${name}\n`);
  }
  return { failed, passed: CHECKS.filter((c) => !only || only.includes(c.name)).length - failed.length };
}

if (isMain(import.meta.url)) {
  install();
  const at = process.argv.indexOf("--only");
  const { failed } = check(at < 0 ? undefined : process.argv[at + 1].split(","));
  process.exitCode = failed.length > 0 ? 1 : 0;
}
