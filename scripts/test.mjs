// `npm test`: installs, builds and runs every test; the last line is the sum of all.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { text } from "node:stream/consumers";
import { build } from "./build.mjs";
import { install, root, spawnNpx } from "./setup.mjs";
import { prepareSwiftShader } from "./swiftshader.mjs";

const totals = { passed: 0, skipped: 0 };
/** A line for everything that failed, shown again at the end, where it is found. */
const failures = [];
const add = (passed, failed, skipped = 0) => {
  totals.passed += passed;
  failures.push(...failed);
  totals.skipped += skipped;
};
const title = (text) => process.stdout.write(`\n== ${text}\n`);

install();
title("build");
build();

title("types and package checks");
const { check } = await import("./check.mjs");
const checked = await check(["types", "lint", "format", "unused", "layers", "circular", "publint", "tarballs", "documented", "size"]);
add(
  checked.passed,
  checked.failed.map((name) => `the check ${name}`),
);

title("unit tests");
const report = join(root, ".cache", "vitest.json");
rmSync(report, { force: true });
spawnNpx(
  [
    "--no-install",
    "vitest",
    "run",
    "--reporter=default",
    "--reporter=json",
    "--reporter=scripts/slow-files.ts",
    `--outputFile.json=${report}`,
    "--silent=passed-only",
  ],
  { cwd: root, stdio: "inherit", env: { ...process.env, CI: "1" } },
);
try {
  const { numPassedTests, numPendingTests, numTodoTests, success, testResults } = JSON.parse(readFileSync(report, "utf8"));
  const failed = [];
  for (const { name, status, message, assertionResults } of testResults) {
    const file = relative(root, name);
    // A file that does not even load has no tests in it, but has failed.
    if (status === "failed" && assertionResults.length === 0) failed.push(`${file}: ${message.split("\n")[0]}`);
    for (const test of assertionResults)
      if (test.status === "failed") failed.push(`${file}: ${test.fullName}: ${test.failureMessages[0]?.split("\n")[0]}`);
  }
  if (!success && failed.length === 0) failed.push("vitest, beside its tests");
  add(numPassedTests, failed, numPendingTests + numTodoTests);
} catch (error) {
  add(0, [`vitest wrote no report: ${error.message}`]);
}

/** Runs the golden cases on a backend, and counts and shows them. */
async function golden(backend, args) {
  const child = spawn(process.execPath, [join(root, "tests/golden/dist/run.js"), "--allow-unsupported", ...args], {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, WEFT_BACKEND: backend },
  });
  const closed = new Promise((resolve) => child.on("close", resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const status = await closed;
  title(`golden cases on ${backend}`);
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  const counts = /^total: (\d+) passed, (\d+) failed, (\d+) unsupported$/m.exec(stdout);
  const failed = stdout.split("\n").filter((line) => line.startsWith("failed "));
  if (failed.length === 0 && (status !== 0 || !counts)) failed.push(`the golden cases on ${backend} ended with exit code ${status}`);
  add(counts ? Number(counts[1]) : 0, failed, counts ? Number(counts[3]) : 0);
}
const outcomes = join(root, ".cache", "golden-cpu.json");
rmSync(outcomes, { force: true });
// A third of each method's on the GPU: it is one in software where the machine has no other.
prepareSwiftShader();
const runs = [
  ["cpu", ["--json", outcomes]],
  ["webgpu", ["--every", "3"]],
];
// An eighth, where onnxruntime-node has a binary for this platform.
if (existsSync(join(root, "tests/golden/node_modules/onnxruntime-node/bin/napi-v6", process.platform, process.arch)))
  runs.push(["onnx", ["--every", "8"]]);
else
  process.stdout.write(`\n== golden cases on onnx are left out: onnxruntime-node has no binary for ${process.platform} ${process.arch}\n`);
await Promise.all(runs.map(([backend, args]) => golden(backend, args)));
const table = spawnSync(process.execPath, [join(root, "scripts/compatibility.mjs"), "--check", "--outcomes", outcomes], {
  stdio: "inherit",
});
add(table.status === 0 ? 1 : 0, table.status === 0 ? [] : ["the check compatibility"]);

process.stdout.write(`\n${failures.map((line) => `failed: ${line}\n`).join("")}`);
process.stdout.write(`${totals.passed} passed, ${failures.length} failed, ${totals.skipped} skipped\n`);
process.exitCode = failures.length > 0 || totals.passed === 0 ? 1 : 0;
