// `npm run demo`: on a machine with nothing but Node and npm, installs what the command line needs, builds it, and shows the main
// job on embedded data: inspect an adapter, merge it into a checkpoint, verify the result, and compare the model before and after.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { install, root } from "./setup.mjs";

const started = Date.now();
install("@weft/demo...");
process.stdout.write("building …\n");
build("@weft/demo...");

const [base, adapter] = ["fixtures/peft/llama_base", "fixtures/peft/llama_lora"];
const out = mkdtempSync(join(tmpdir(), "weft-demo-"));

function step(title, args, program = "apps/cli/dist/weft.js") {
  process.stdout.write(`\n── ${title}\n$ ${program.includes("cli") ? "weft" : "node forward.js"} ${args.join(" ")}\n`);
  const { status } = spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) {
    process.stderr.write(`the demo stopped: exit code ${status}\n`);
    process.exit(1);
  }
}

try {
  step("What is in this adapter?", ["inspect", adapter]);
  step("Merge it into the base model", ["merge", base, "-a", adapter, "-o", join(out, "merged")]);
  step("Is every tensor what merging gives?", ["verify", join(out, "merged"), "--base", base, "-a", adapter]);
  step(
    "What does the model say before, with the adapter, and after merging?",
    [base, adapter, join(out, "merged")],
    "apps/demo/dist/forward.js",
  );
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.stdout.write(`\ndone in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
