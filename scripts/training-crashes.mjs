// Trainings that are stopped where nobody expects it: `npm run training-crashes [-- --kills 200 --full 50 --seed 1]`.
// Some are killed at random moments, others run on disks of every size that is too small. Checkpoints must be whole or not there, and whoever goes on must come to the
// adapter of the training that nothing stopped, byte for byte.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";

const { values } = parseArgs({
  options: { kills: { type: "string", default: "200" }, full: { type: "string", default: "50" }, seed: { type: "string", default: "1" } },
});
const [KILLS, FULL, STEPS] = [Number(values.kills), Number(values.full), 12];

if (process.env.WEFT_MAY_MOUNT !== "1") {
  install("@weft/cli...");
  build("@weft/cli...");
  if (FULL > 0) {
    // Disks of a few hundred kilobytes are mounted in a namespace of their own.
    const env = { ...process.env, WEFT_MAY_MOUNT: "1" };
    const { status, error } = spawnSync("unshare", ["--map-root-user", "--mount", process.execPath, ...process.argv.slice(1)], {
      stdio: "inherit",
      env,
    });
    if (error) throw new Error("unshare is not there, by which disks are made too small: --full 0 kills only", { cause: error });
    process.exit(status ?? 1);
  }
}

const home = mkdtempSync(join(tmpdir(), "weft-crashes-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));
const data = join(home, "data.jsonl");
writeFileSync(
  data,
  [0, 1, 2, 3, 4, 5, 6, 7].map((i) => `${JSON.stringify({ text: `The quick fox number ${i} jumps over the dog.` })}\n`).join(""),
);

const argvOf = (out, ...more) => {
  const settings = ["--data", data, "--batch-size", "2", "--max-steps", `${STEPS}`, "--save-steps", "1", "--save-total-limit", "2"];
  const model = join(root, "fixtures/quant/tiny.gguf");
  return [join(root, "apps/cli/dist/weft.js"), "train", "-m", model, "-o", out, "--device", "cpu", ...settings, "--json", ...more];
};
const checkpointsIn = (out) => (existsSync(out) ? readdirSync(out).filter((name) => /^checkpoint-\d+$/.test(name)) : []);
/** Goes on if there is a checkpoint, and begins anew if not. */
const onward = (out) => (checkpointsIn(out).length > 0 ? ["--resume"] : ["--force"]);

/** @throws Error for a checkpoint of which a file is not as `done.json` lists it */
function assertWhole(out) {
  for (const name of checkpointsIn(out)) {
    const { files } = JSON.parse(readFileSync(join(out, name, "done.json"), "utf8"));
    for (const [file, { size, sha256 }] of Object.entries(files)) {
      const bytes = readFileSync(join(out, name, file));
      if (bytes.length !== size || createHash("sha256").update(bytes).digest("hex") !== sha256)
        throw new Error(`${name}/${file} is not whole`);
    }
  }
}

const adapterOf = (out) => readFileSync(join(out, "adapter_model.safetensors"));
const whole = join(home, "whole");
const undisturbed = spawnSync(process.execPath, argvOf(whole), { encoding: "utf8" });
if (undisturbed.status !== 0) throw new Error(`the training that nothing stops ended with ${undisturbed.status}: ${undisturbed.stdout}`);
const wanted = adapterOf(whole);

function assertSame(out, what) {
  assertWhole(out);
  const strange = readdirSync(out).filter((name) => name.startsWith(".") || name.includes("tmp"));
  if (strange.length > 0) throw new Error(`${what}: left ${strange.join(", ")}`);
  if (!adapterOf(out).equals(wanted)) throw new Error(`${what}: another adapter than that of the training that nothing stopped`);
}

let random = Number(values.seed) * 7919 + 1;
const next = (below) => (random = (random * 48271) % 2147483647) % below;

/** Runs until a step, and some milliseconds more, if it is not over before. @returns the signal that ended it, or its exit code */
function killedAfter(out, steps, milliseconds) {
  const child = spawn(process.execPath, argvOf(out, ...onward(out)), { stdio: ["ignore", "pipe", "inherit"] });
  let left = steps;
  const kill = () => setTimeout(() => child.kill("SIGKILL"), milliseconds);
  if (left === 0) kill();
  child.stdout.on("data", (text) => {
    const before = left;
    left -= String(text).split('"event":"step"').length - 1;
    if (before > 0 && left <= 0) kill();
  });
  return new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code)));
}

let [kills, trainings] = [0, 0];
while (kills < KILLS) {
  const out = join(home, "killed");
  rmSync(out, { recursive: true, force: true });
  let ended;
  // A part of them in the middle of starting, when old checkpoints are read and what is unfinished is taken away.
  while ((ended = await killedAfter(out, kills < KILLS ? next(4) : Infinity, next(60))) === "SIGKILL") {
    kills++;
    assertWhole(out);
  }
  if (ended !== 0) throw new Error(`a training that goes on ended with ${ended}`);
  assertSame(out, `after ${kills} kills`);
  trainings++;
}
if (KILLS > 0) process.stdout.write(`${kills} kills in ${trainings} trainings: every checkpoint whole, every adapter the same\n`);

const bytesOf = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);

/** Mounts, or changes the size of, a disk in memory. */
function disk(folder, options) {
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(`mount: ${stderr}`);
}

if (FULL > 0) {
  // Two checkpoints are kept while the third is written.
  const enough = 3 * bytesOf(join(whole, checkpointsIn(whole)[0]));
  let refused = 0;
  const kept = new Map();
  for (let i = 0; i < FULL; i++) {
    const folder = join(home, "disk");
    mkdirSync(folder, { recursive: true });
    disk(folder, `size=${Math.ceil((enough * (i + 0.5)) / FULL)}`);
    const out = join(folder, "lora");
    const { status, stdout } = spawnSync(process.execPath, argvOf(out), { encoding: "utf8" });
    if (status === 0) throw new Error(`a disk of ${i + 0.5}/${FULL} of what a training takes was large enough`);
    if (status !== 1 || !stdout.includes('"kind":"disk-full"'))
      throw new Error(`a full disk ended the training with ${status}: ${stdout.slice(-500)}`);
    refused++;
    assertWhole(out);
    const count = checkpointsIn(out).length;
    kept.set(count, (kept.get(count) ?? 0) + 1);
    disk(folder, "remount,size=100m");
    const again = spawnSync(process.execPath, argvOf(out, ...onward(out)), { encoding: "utf8" });
    if (again.status !== 0) throw new Error(`with room enough the training ended with ${again.status}: ${again.stdout.slice(-500)}`);
    assertSame(out, `after a disk of ${i + 0.5}/${FULL}`);
    spawnSync("umount", [folder]);
  }
  const left = [...kept].map(([count, times]) => `${times} with ${count} checkpoints`).join(", ");
  process.stdout.write(`${refused} disks that were too small (${left}): every checkpoint whole, every adapter the same\n`);
}
