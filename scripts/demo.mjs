// `npm run demo`: on a machine with nothing but Node and npm, installs what the command line needs, builds it, and shows its jobs on embedded data. First an
// adapter is inspected, merged into a checkpoint and verified; then one is trained: the tiny Llama of @weft/tiny-models, which has read Jane Austen, learns to
// write as Shakespeare did, and the result is merged, quantised and measured.
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

const CLI = "apps/cli/dist/weft.js";
const out = mkdtempSync(join(tmpdir(), "weft-demo-"));

/** Ends the demo. */
function stop(message) {
  throw new Error(message);
}

function step(title, args, program = CLI) {
  const shown = args.map((arg) => (/[\s:]/.test(arg) ? JSON.stringify(arg) : arg.replace(out, "…")));
  process.stdout.write(`\n── ${title}\n$ ${program === CLI ? "weft" : "node forward.js"} ${shown.join(" ")}\n`);
  const { status } = spawnSync(process.execPath, [join(root, program), ...args], { cwd: root, stdio: "inherit" });
  if (status !== 0) stop(`exit code ${status}`);
}

/** The result that a command gives with `--json`, its last line. */
function result(args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, CLI), ...args, "--json"], { cwd: root, encoding: "utf8" });
  if (status !== 0) stop(`exit code ${status}\n${stdout}${stderr}`);
  return JSON.parse(stdout.trim().split("\n").at(-1));
}

function merging() {
  const [base, adapter] = ["fixtures/peft/llama_base", "fixtures/peft/llama_lora"];
  step("What is in this adapter?", ["inspect", adapter]);
  step("Merge it into the base model", ["merge", base, "-a", adapter, "-o", join(out, "merged")]);
  step("Is every tensor what merging gives?", ["verify", join(out, "merged"), "--base", base, "-a", adapter]);
  step(
    "What does the model say before, with the adapter, and after merging?",
    [base, adapter, join(out, "merged")],
    "apps/demo/dist/forward.js",
  );
}

/** What is measured of the tiny Llama and of what is made of it. */
const KINDS = ["base model", "with the adapter", "merged", "merged, in NF4"];

function training() {
  const [llama, texts] = ["packages/tiny-models/models/llama", "packages/tiny-models/texts"];
  const [lora, merged, nf4] = ["lora", "verse", "verse-nf4"].map((name) => join(out, name));
  const generate = (model, ...more) => ["generate", "-m", model, ...more, "-p", "It is the", "-n", "70", "--seed", "1"];
  step("A tiny Llama (0.5 million parameters) that has read six novels by Jane Austen", generate(llama));
  const data = `${texts}/romeo-and-juliet.txt`;
  const shape = ["--packing", "--max-length", "256", "--batch-size", "4", "--max-steps", "120"];
  const rate = ["--rank", "8", "--lr", "5e-3", "--schedule", "cosine"];
  step("It reads four acts of Romeo and Juliet: a LoRA is trained", ["train", "-m", llama, "--data", data, "-o", lora, ...shape, ...rate]);
  step("What it writes now", generate(llama, "-a", lora));
  step("Merge the adapter", ["merge", llama, "-a", lora, "-o", merged]);
  step("Quantise the result to four bits", ["quantize", merged, "--to", "nf4", "-o", nf4]);
  step("What that writes", generate(nf4));

  process.stdout.write("\n── The fifth act, which none of them has read: the loss of a token, and the factor by which it is uncertain\n");
  const losses = [
    ["-m", llama],
    ["-m", llama, "-a", lora],
    ["-m", merged],
    ["-m", nf4],
  ].map((model, i) => {
    const { loss, perplexity } = result(["eval", ...model, `${texts}/romeo-and-juliet-act-5.txt`]);
    process.stdout.write(`${KINDS[i].padEnd(18)}${loss.toFixed(4).padStart(8)}${perplexity.toFixed(1).padStart(8)}\n`);
    return loss;
  });
  const [before, after, whole, packed] = losses;
  if (!(after < before - 0.3)) stop("the adapter has learnt nothing");
  if (!(Math.abs(whole - after) < 1e-4)) stop("the merged model is not base and adapter");
  if (!(packed < (before + after) / 2)) stop("four bits have lost what was learnt");
}

try {
  merging();
  training();
  process.stdout.write(`\ndone in ${((Date.now() - started) / 1000).toFixed(0)} s\n`);
} catch ({ message }) {
  process.stderr.write(`the demo stopped: ${message}\n`);
  process.exitCode = 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
