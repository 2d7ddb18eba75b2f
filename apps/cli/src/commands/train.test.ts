import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadTextGenerator } from "@weft/generation/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { Device } from "@weft/tensor-core";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { FIXTURES, PROGRAM, spawnWeft, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const TINY = join(FIXTURES, "quant/tiny.gguf");
const folder = temporaryFolder();
const at = (name: string): string => join(folder, name);

/** Writes rows as a file of JSON lines. */
function data(name: string, rows: readonly object[]): string {
  writeFileSync(at(name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return at(name);
}

const eight = Array.from({ length: 8 }, (_, i) => i);
const TEXTS = data(
  "texts.jsonl",
  eight.map((i) => ({ text: `The quick brown fox number ${i} jumps over the lazy dog.` })),
);
data(
  "other.jsonl",
  eight.map((i) => ({ text: `Nothing of it is like ${i}^7: qqq zzz, #${i}!` })),
);
const PAIRS = data(
  "pairs.jsonl",
  eight.map((i) => ({ prompt: `Say ${i}`, chosen: " blue", rejected: " red now" })),
);
const JUDGED = data(
  "judged.jsonl",
  eight.map((i) => ({ prompt: `Say ${i}`, completion: i % 2 ? " blue" : " red", label: i % 2 === 1 })),
);

type Json = { readonly [field: string]: unknown };
const json = (text: string): Json[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Json);
const train = (out: string, ...more: string[]): ReturnType<typeof weftBuilt> =>
  weftBuilt("train", "-m", TINY, "-o", at(out), "--device", "cpu", "--lr", "1e-2", ...more);
const losses = (stdout: string): number[] =>
  json(stdout)
    .filter(({ event }) => event === "step")
    .map(({ loss }) => loss as number);

test("a training says its steps, and leaves an adapter that the library loads and that changes what the model says", async () => {
  const run = await train("lora", "--data", TEXTS, "--max-steps", "10", "--eval-share", "0.3", "--sample-prompt", "The", "--json");
  expect(run).toMatchObject({ code: 0, stderr: "" });
  const found = losses(run.stdout);
  expect(found.at(-1)).toBeLessThan(0.5 * found[0]!);
  const records = json(run.stdout);
  expect(records.at(-1)).toMatchObject({ out: at("lora"), steps: 10, loss: found.at(-1), checkpoint: join(at("lora"), "checkpoint-10") });
  const last = records.filter(({ event }) => event === "step").at(-1)!;
  expect(last["samples"]).toEqual([expect.stringMatching(/^The./)]);
  expect((last["evaluation"] as Json)["loss"]).toBeLessThan(0.5 * found[0]!);
  const log = json(readFileSync(join(at("lora"), "log.jsonl"), "utf8"));
  expect(log.map(({ loss }) => loss)).toEqual(found);
  expect(JSON.parse(readFileSync(join(at("lora"), "adapter_config.json"), "utf8"))).toMatchObject({
    base_model_name_or_path: TINY,
    lora_alpha: 16,
    peft_type: "LORA",
    r: 8,
    target_modules: "all-linear",
    task_type: "CAUSAL_LM",
  });
  expect(readFileSync(join(at("lora"), "README.md"), "utf8")).toContain("library_name: peft");
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  const generator = await loadTextGenerator(TINY, { device, adapters: { lora: at("lora") }, methods: ADAPTER_METHODS });
  const answers: string[] = [];
  for (const adapter of [undefined, "lora"])
    answers.push((await generator.generate("The quick", { maxNewTokens: 10, temperature: 0, ...(adapter && { adapter }) }).result).text);
  expect(answers[1]).not.toBe(answers[0]);
  expect(answers[1]).toContain("brown");
  device.dispose();
});

test("a report stands alone, and shows texts as they are; TensorBoard's file has the same steps", async () => {
  const [prompt, file, logs] = ["<b>The & quick", at("report.html"), at("logs")];
  const told = ["--sample-prompt", prompt, "--report", file, "--logging-dir", logs];
  await train("reported", "--data", TEXTS, "--eval-share", "0.3", "--max-steps", "4", ...told);
  const page = readFileSync(file, "utf8");
  expect(page.match(/<polyline class="loss" points="([^"]*)"/)![1]!.split(" ")).toHaveLength(4);
  expect(page).toContain('<polyline class="evaluation"');
  expect(page).toContain("&lt;b&gt;The &amp; quick");
  expect(page).not.toContain(prompt);
  expect(page).toContain("&quot;perDeviceTrainBatchSize&quot;: 4");
  expect(page).not.toMatch(/(?:src|href)=|NaN/);
  const [events, ...others] = readdirSync(logs);
  expect(others).toEqual([]);
  expect(events).toMatch(/^events\.out\.tfevents\./);
  const logged = readFileSync(join(logs, events!), "latin1");
  expect(["train/loss", "eval/loss", "samples/0"].map((tag) => logged.split(tag).length - 1)).toEqual([4, 2, 1]);
});

/** Rows of 128 tokens, eight at once. */
const trainWide = (out: string, ...more: string[]): ReturnType<typeof weftBuilt> =>
  train(out, "--data", TEXTS, "--max-steps", "2", "--batch-size", "8", "--max-length", "128", "--json", ...more);
test("packed rows have the losses of their examples", async () => {
  const [alone, packed] = [losses((await trainWide("alone")).stdout), losses((await trainWide("packed", "--packing")).stdout)];
  for (const [i, loss] of packed.entries()) expect(Math.abs(loss - alone[i]!)).toBeLessThan(1e-4);
});

test.each([
  ["dpo", PAIRS],
  ["orpo", PAIRS],
  ["kto", JUDGED],
])("%s learns from its data", async (objective, file) => {
  const found = losses((await train(objective, "--data", file, "--objective", objective, "--max-steps", "6", "--json")).stdout);
  expect(found.at(-1)).toBeLessThan(0.5 * found[0]!);
});

test("a training that goes on is the one that was not stopped", async () => {
  const args = ["--data", TEXTS, "--batch-size", "2", "--max-steps", "8", "--save-steps", "5", "--json"];
  const whole = await train("whole", ...args);
  cpSync(join(at("whole"), "checkpoint-5"), join(at("parts"), "checkpoint-5"), { recursive: true });
  // The log of a process that was killed: one step more than its checkpoint, and half a line.
  const lines = readFileSync(join(at("whole"), "log.jsonl"), "utf8")
    .split("\n")
    .slice(0, 6);
  writeFileSync(join(at("parts"), "log.jsonl"), `${lines.join("\n")}\n{"step": 7,`);
  expect((await train("parts", ...args)).stdout).toContain('"kind":"exists"');
  const parts = await train("parts", ...args, "--resume");
  expect(losses(parts.stdout)).toEqual(losses(whole.stdout).slice(5));
  for (const name of ["adapter_model.safetensors", "checkpoint-8/optimizer.safetensors"])
    expect(readFileSync(join(at("parts"), name)).equals(readFileSync(join(at("whole"), name)))).toBe(true);
  const logs = ["whole", "parts"].map((out) =>
    json(readFileSync(join(at(out), "log.jsonl"), "utf8")).map(({ step, loss }) => [step, loss]),
  );
  expect(logs[1]).toEqual(logs[0]);
  expect((await train("parts", ...args, "--force", "--lr", "-1")).code).toBe(2);
  expect((await train("parts", ...args, "--force", "--data", at("none.jsonl"))).code).toBe(2);
  expect(existsSync(join(at("parts"), "checkpoint-8"))).toBe(true);
  await train("parts", ...args, "--force", "--max-steps", "1");
  expect(readdirSync(at("parts")).filter((name) => name.startsWith("checkpoint"))).toEqual(["checkpoint-1"]);
  const verified = await train("verified", ...args, "--verify-resume");
  expect(json(verified.stdout).at(-1)).toMatchObject({ verified: true, steps: 4 });
  expect(existsSync(at("verified"))).toBe(false);
});

test("a start from data runs inside a training, which goes on from its checkpoint on the same changed base", async () => {
  const start = ["--init-lora-weights", "corda", "--target", "q_proj", "--rank", "2"];
  const verified = await train("started", "--data", TEXTS, "--batch-size", "2", ...start, "--verify-resume", "--json");
  expect(json(verified.stdout).at(-1)).toMatchObject({ verified: true, steps: 4 });
  const refused = await train("started", "--data", TEXTS, "--init-lora-weights", "coda");
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('init_lora_weights is "coda"')]);
});

test("a schedule that follows evaluations is refused where there are none", async () => {
  const { code, stderr } = await train("followed", "--data", TEXTS, "--schedule", "greedy");
  expect([code, stderr]).toEqual([2, expect.stringContaining("--eval-data or --eval-share")]);
});

test("Ctrl-C ends a training after a step, with a checkpoint that it goes on from", async () => {
  const argv = ["train", "-m", TINY, "-o", at("stopped"), "--device", "cpu", "--data", TEXTS, "--save-steps", "1000000", "--json"];
  const running = startWeft([...argv, "--max-steps", "1000000"], { stdio: ["ignore", "pipe", "inherit"] });
  let stdout = "";
  running.stdout!.on("data", (chunk: Buffer) => {
    if (stdout === "") running.kill("SIGINT");
    stdout += chunk.toString();
  });
  expect((await once(running, "close"))[0]).toBe(130);
  const { error } = json(stdout).at(-1) as { readonly error: Record<string, string> };
  expect(error).toMatchObject({ kind: "cancelled", hint: expect.stringContaining("--resume") });
  const step = Number(/stopped after step (\d+) of/.exec(error["message"]!)![1]);
  expect(existsSync(join(at("stopped"), `checkpoint-${step}`, "done.json"))).toBe(true);
  // Another number of steps is another schedule.
  const shorter = [...argv, "--max-steps", `${step + 2}`, "--resume"];
  expect(json((await weftBuilt(...shorter)).stdout).at(-1)).toMatchObject({
    error: { kind: "settings-changed", hint: expect.stringContaining("--allow-changed-settings") as string },
  });
  const more = await weftBuilt(...shorter, "--allow-changed-settings");
  expect(json(more.stdout).at(-1)).toMatchObject({ steps: step + 2 });
});

test("a training goes on with the data and settings that it was begun with", async () => {
  const args = ["--data", TEXTS, "--max-steps", "2", "--json"];
  await train("settled", ...args);
  const refused = async (...more: string[]): Promise<string> => {
    const { code, stdout } = await train("settled", ...args, "--resume", ...more);
    expect(code).toBe(2);
    return (json(stdout).at(-1)!["error"] as { readonly message: string }).message;
  };
  expect(await refused("--batch-size", "2")).toMatch(/checkpoint: perDeviceTrainBatchSize is 2 and was 4$/);
  expect(await refused("--rank", "4")).toContain('peft is {"r":4} and was {}');
  expect(await refused("--data", PAIRS.replace("pairs", "other"))).toContain("examples is");
  expect((await train("settled", ...args, "--resume")).code).toBe(0);
});

test("--eval-data ends a training that gets no better; the best checkpoint is kept beside the last ones", async () => {
  const told = ["--eval-data", at("other.jsonl"), "--eval-steps", "1", "--early-stopping-patience", "3"];
  const kept = ["--save-steps", "1", "--save-total-limit", "2"];
  const { stdout } = await train("early", "--data", TEXTS, "--lr", "5e-2", "--max-steps", "40", ...told, ...kept, "--json");
  const records = json(stdout).filter(({ event }) => event === "step") as { step: number; evaluation: { loss: number; isBest: boolean } }[];
  const best = records.findLast(({ evaluation }) => evaluation.isBest)!.step;
  expect(json(stdout).at(-1)).toMatchObject({ ended: "no-improvement", steps: best + 3 });
  expect(records[best - 1]!.evaluation.loss).toBe(Math.min(...records.map(({ evaluation }) => evaluation.loss)));
  const folders = readdirSync(at("early")).filter((name) => name.startsWith("checkpoint-"));
  expect(folders.toSorted()).toEqual([best, best + 2, best + 3].map((step) => `checkpoint-${step}`).toSorted());
  const state = JSON.parse(readFileSync(join(at("early"), `checkpoint-${best + 3}`, "trainer_state.json"), "utf8")) as Json;
  expect(state).toMatchObject({ best_global_step: best, best_model_checkpoint: `checkpoint-${best}` });
});

test("a disk that is full ends a training with its last good checkpoint, from which it comes to the same adapter", async () => {
  const args = ["--data", TEXTS, "--batch-size", "2", "--max-steps", "3", "--save-steps", "1", "--json"];
  const adapter = (out: string): Buffer => readFileSync(join(at(out), "adapter_model.safetensors"));
  await train("roomy", ...args);
  const largest = readFileSync(join(at("roomy"), "checkpoint-3/optimizer.safetensors")).length;
  // Files may be so large, in blocks of 1024 bytes: the log, an adapter, a state of the optimiser are cut.
  for (const blocks of [1, 100, Math.floor(largest / 1024) - 1]) {
    const out = `full-${blocks}`;
    const argv = ["train", "-m", TINY, "-o", at(out), "--device", "cpu", "--lr", "1e-2", ...args];
    const ran = spawnWeft(argv, { shell: `ulimit -f ${blocks}` });
    expect([blocks, ran.code, ran.stdout]).toEqual([blocks, 1, expect.stringContaining('"kind":"disk-full"')]);
    expect(existsSync(at(out)) ? readdirSync(at(out)).filter((name) => name !== "log.jsonl") : []).toEqual([]);
    await train(out, ...args, "--force");
    expect(adapter(out).equals(adapter("roomy"))).toBe(true);
  }
});

test("--dry-run shows what is trained on, and what it takes, and writes nothing", async () => {
  const { code, stdout } = await train("dry", "--data", TEXTS, "--dry-run");
  expect(code).toBe(0);
  expect(stdout).toContain("texts.jsonl, line 1: trained 48 of 49 tokens, end token trained");
  expect(stdout).toContain("text: <s>[T][he]");
  expect(stdout).toContain("trainable params: 53,248");
  const { memory, steps } = json((await train("dry", "--data", TEXTS, "--dry-run", "--json")).stdout).at(-1) as unknown as {
    readonly memory: { readonly weightBytes: number };
    readonly steps: number;
  };
  expect(steps).toBe(6);
  // A byte or so of each of its weights: they stay packed.
  expect(memory.weightBytes).toBeLessThan(1.5e6);
  expect(existsSync(at("dry"))).toBe(false);
});

test("settings come from a file; flags win", async () => {
  const file = at("train.yaml");
  const lines = [
    `model_name_or_path: ${TINY}`,
    `train_file: ${TEXTS}`,
    `output_dir: ${at("of-file")}`,
    "learning_rate: 2e-3",
    "max_steps: 2",
    "lr_scheduler_type: cosine",
    "device: cpu",
    "peft:",
    "  r: 2",
    "  use_rslora: true",
    "  target_modules: [q_proj, v_proj]",
  ];
  writeFileSync(file, lines.join("\n"));
  const run = await weftBuilt("train", file, "--rank", "4", "--json");
  expect(json(run.stdout).filter(({ event }) => event === "step")[0]).toMatchObject({ learningRate: 2e-3 });
  const config: unknown = JSON.parse(readFileSync(join(at("of-file"), "adapter_config.json"), "utf8"));
  expect(config).toMatchObject({ r: 4, use_rslora: true, target_modules: ["q_proj", "v_proj"] });
  const refused = async (line: string): Promise<string> => {
    writeFileSync(file, [...lines.filter((one) => !one.startsWith(line.split(":")[0]!)), line].join("\n"));
    const { code, stderr } = await weftBuilt("train", file, "--force");
    expect(code).toBe(2);
    return stderr;
  };
  expect(await refused("learning_rat: 1")).toContain("did you mean learning_rate?");
  expect(await refused("learning_rate: fast")).toContain('learning_rate is "fast", expected a number');
  expect(await refused("max_steps: 0")).toContain("max_steps is 0, expected a whole number from 1 up");
  expect(await refused("packing: 1")).toContain("expected true or false");
  expect(await refused("objective: ppo")).toContain("expected one of sft, dpo, orpo, kto, classification");
  expect(await refused("max_steps: 1\nmax_steps: 2")).toContain("unique");
  expect(await refused("a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]")).toContain("alias");
});

test("--init asks five questions and writes a file that trains; without a terminal it says what to do", async ({ skip }) => {
  const alone = await weftBuilt("train", "--init", at("init.yaml"));
  expect(alone).toMatchObject({ code: 2, stderr: expect.stringContaining("there is no terminal") as string });
  expect(existsSync(at("init.yaml"))).toBe(false);
  // Typed on a terminal; the second answer is none, and asked for again.
  const answers = [TINY, at("none.jsonl"), PAIRS, at("inited"), "", "2"].map((line) => `sleep 0.5; echo '${line}'`).join("; ");
  const line = `"${process.execPath}" "${PROGRAM}" train --init "${at("init.yaml")}"`;
  const ran = spawnSync("bash", ["-c", `(sleep 1; ${answers}; sleep 1) | script -qec '${line}' /dev/null`], { encoding: "utf8" });
  if (ran.stderr.includes("script:")) return skip("no script(1) here");
  expect(ran.stdout).toContain(`there is no ${at("none.jsonl")}`);
  expect(ran.stdout).toContain("How often shall it go through the data? [3]");
  expect(parse(readFileSync(at("init.yaml"), "utf8"))).toEqual({
    model_name_or_path: TINY,
    train_file: PAIRS,
    output_dir: at("inited"),
    num_train_epochs: 3,
    peft: { r: 2 },
    objective: "dpo",
  });
  expect((await weftBuilt("train", "--init", at("init.yaml"))).stderr).toContain("exists already");
  expect((await weftBuilt("train", at("init.yaml"), "--max-steps", "1", "--device", "cpu")).code).toBe(0);
  expect(existsSync(join(at("inited"), "adapter_model.safetensors"))).toBe(true);
});

test("--max-memory refuses what does not fit, with what would", async () => {
  const told = ["--data", TEXTS, "--max-steps", "2"];
  const { memory, offers, time } = json((await train("dry", ...told, "--dry-run", "--json")).stdout).at(-1) as unknown as {
    readonly memory: { readonly peakBytes: number };
    readonly offers: readonly { readonly name: string; readonly value?: number; readonly peakBytes: number }[];
    readonly time: { readonly seconds: number; readonly secondsPerStep: number };
  };
  expect(offers.map(({ name, value }) => [name, value])).toEqual([
    ["gradient-checkpointing", undefined],
    ["batch-size", 2],
    ["max-length", 32],
    ["rank", 4],
    // A few of its linear weights are not packed.
    ["4-bit-base", undefined],
  ]);
  for (const { peakBytes } of offers) expect(peakBytes).toBeLessThan(memory.peakBytes);
  expect(time.seconds).toBeCloseTo(2 * time.secondsPerStep, 6);
  const [again, batch] = offers as unknown as [{ readonly peakBytes: number }, { readonly peakBytes: number }];
  const limit = Math.min(again.peakBytes, batch.peakBytes) - 1;
  const { code, stderr } = await train("refused-memory", ...told, "--max-memory", `${limit}`);
  expect(code).toBe(2);
  expect(stderr).toMatch(/a step takes .*, --max-memory is /);
  expect(stderr).toMatch(/--max-length 32: |none of these alone is enough/);
  expect(existsSync(at("refused-memory"))).toBe(false);
  // Between the two: blocks are computed again, and the losses stay.
  const plain = losses((await train("roomy-memory", ...told, "--json")).stdout);
  const tight = losses(
    (await train("tight-memory", ...told, "--max-memory", `${Math.ceil((again.peakBytes + memory.peakBytes) / 2)}`, "--json")).stdout,
  );
  for (const [i, loss] of tight.entries()) expect(Math.abs(loss - plain[i]!)).toBeLessThan(1e-4);
});

/** Rows of two kinds, in turn. */
const both = <T>(make: (one: boolean, i: number) => T): T[] => eight.map((i) => make(i % 2 === 0, i));
describe("an encoder", () => {
  const bert = at("bert");
  cpSync(join(FIXTURES, "models/bert"), bert, { recursive: true });
  const words = JSON.parse(readFileSync(join(FIXTURES, "models/tokenizers/wordpiece/tokenizer.json"), "utf8")) as {
    added_tokens: object[];
    model: { vocab: Record<string, number> };
  };
  // As many tokens as the model has.
  words.model.vocab = Object.fromEntries(Object.entries(words.model.vocab).filter(([, id]) => id < 96));
  words.added_tokens = [];
  writeFileSync(join(bert, "tokenizer.json"), JSON.stringify(words));
  const trainBert = (out: string, ...more: string[]): ReturnType<typeof weftBuilt> =>
    weftBuilt("train", "-m", bert, "-o", at(out), "--device", "cpu", "--lr", "1e-2", "--rank", "2", "--json", ...more);
  test.each([
    ["classification", both((good) => ({ text: good ? "so good" : "so bad", label: good ? "good" : "bad" }))],
    ["token_classification", both((good) => ({ tokens: ["a", good ? "man" : "cat"], labels: ["O", good ? "B" : "O"] }))],
    ["regression", both((good) => ({ text: good ? "up" : "down", label: good ? 1 : -1 }))],
    ["contrastive", both((_, i) => ({ anchor: `a${i}`, positive: `b${i}` }))],
    ["cosine_similarity", both((good) => ({ sentence1: "up", sentence2: good ? "on" : "off", score: Number(good) }))],
  ])("learns %s", async (objective, rows) => {
    const run = await trainBert(objective, "--data", data(`${objective}.jsonl`, rows), "--objective", objective, "--max-steps", "10");
    expect(run).toMatchObject({ code: 0, stderr: "" });
    const found = losses(run.stdout);
    expect(found.at(-1)).toBeLessThan(0.7 * found[0]!);
    const config = JSON.parse(readFileSync(join(at(objective), "adapter_config.json"), "utf8")) as Json;
    const hasHead = objective.endsWith("classification") || objective === "regression";
    expect(config["modules_to_save"]).toEqual(hasHead ? ["classifier", "score"] : null);
    expect(existsSync(join(at(objective), "classes.json"))).toBe(objective.endsWith("classification"));
  });

  test("has the classes of its data, and goes on with its head", async () => {
    expect(JSON.parse(readFileSync(join(at("classification"), "classes.json"), "utf8"))).toEqual(["bad", "good"]);
    const told = ["--data", at("classification.jsonl"), "--objective", "classification"];
    const verified = await trainBert("verified-bert", ...told, "--verify-resume");
    expect(json(verified.stdout).at(-1)).toMatchObject({ verified: true });
    const dry = await trainBert("dry-bert", ...told, "--dry-run");
    expect(json(dry.stdout).at(-1)).toMatchObject({ steps: 6, memory: expect.anything() as object });
    const one = await trainBert("one-class", "--data", data("one.jsonl", [{ text: "a", label: "x" }]), "--objective", "classification");
    expect(json(one.stdout).at(-1)).toMatchObject({ error: { message: expect.stringContaining("one class alone") as string } });
  });
});

describe("refused in a line, with what to do:", () => {
  const empty = data("empty.jsonl", []);
  const unended = data("chats.jsonl", [{ messages: ["user", "assistant"].map((role) => ({ role, content: "blue" })) }]);
  const unanswered = data("questions.jsonl", [{ messages: [{ role: "user", content: "blue" }] }]);
  const mixed = at("mixed");
  cpSync(join(FIXTURES, "quant/bnb_model_nf4"), mixed, { recursive: true });
  cpSync(join(FIXTURES, "models/tokenizers/bpe_byte_level/tokenizer.json"), join(mixed, "tokenizer.json"));
  test.each([
    ["no data", ["--data", at("none.jsonl")], "there is no such file", ""],
    ["empty data", ["--data", empty], "there are no examples", "check the file"],
    ["answers without end", ["--data", unended], "the token that ends an answer is trained on in none", "--dry-run shows examples"],
    ["chats without answers", ["--data", unanswered], "nothing is trained on", "--mask"],
    ["no module", ["--data", TEXTS, "--target", "nothing"], 'no module of the model matches target_modules ["nothing"]', "q_proj"],
    ["no method", ["--data", TEXTS, "--method", "lorra"], "there is no method LORRA", "LORA"],
    ["other data", ["--data", PAIRS], "sft learns from texts", "--objective dpo"],
    ["packed pairs", ["--data", PAIRS, "--objective", "dpo", "--packing"], "--packing is for sft", "leave"],
    ["no schedule", ["--data", TEXTS, "--schedule", "cosin"], 'lrSchedulerType is "cosin"', "cosine"],
    ["a tokenizer of another model", ["--data", TEXTS, "-m", mixed], "and the model has 128", "tokenizer.json"],
    ["no model", ["--data", TEXTS, "-m", at("no-model")], "there is no such file or folder", ""],
    ["no data named", [], "train_file is not given", "--data"],
    ["two evaluations", ["--data", TEXTS, "--eval-data", TEXTS, "--eval-share", "0.1"], "both data and a share", "leave"],
    ["nothing to resume", ["--data", TEXTS, "--resume"], "there is no checkpoint", "checkpoint-N"],
  ])("%s", async (_, args, message, hint) => {
    const { code, stderr } = await train("refused", ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(existsSync(at("refused"))).toBe(false);
  });

  test("a loss that is no number, which leaves the last good checkpoint", async () => {
    const { code, stderr } = await train("nan", "--data", TEXTS, "--lr", "1e30", "--max-steps", "6", "--save-steps", "1");
    expect(code).toBe(2);
    expect(stderr).toMatch(/error: step 2: the loss is NaN/);
    expect(stderr).toContain(`lower --lr, or add --warmup; the last good checkpoint is ${join(at("nan"), "checkpoint-1")}`);
  });
});
