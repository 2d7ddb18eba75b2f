import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, describe, expect, it } from "vitest";
import { copyFolder, filesOf, hashOf, makeLlama, poke } from "@weft/checkpoint/testing";
import { FIXTURES, PROGRAM, spawnWeft, startWeft, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const base = join(FIXTURES, "peft/llama_base");
const llamaLora = join(FIXTURES, "peft/llama_lora");
let made = 0;
const fresh = (): string => join(folder, `out-${made++}`);
let small: { readonly base: string; readonly lora: string };
/** Large enough that a run can be stopped in the middle. */
let large: { readonly base: string; readonly lora: string };

beforeAll(() => {
  small = makeLlama(join(folder, "small"));
  large = makeLlama(join(folder, "large"), {
    layers: 4,
    hidden: 768,
    intermediate: 2048,
    heads: 12,
    kvHeads: 4,
    vocab: 4000,
    shards: 4,
    rank: 128,
  });
});

/** Every command that writes, with an output. */
const COMMANDS: readonly (readonly [name: string, call: (out: string) => string[]])[] = [
  ["merge", (out) => ["merge", small.base, "-a", small.lora, "-o", out]],
  ["unmerge", (out) => ["unmerge", small.base, "-a", small.lora, "-o", out]],
  ["convert", (out) => ["convert", small.lora, "--to", "mlx", "-o", out]],
  ["extract", (out) => ["extract", large.base, "--base", large.base, "--rank", "2", "-o", out]],
  ["resize", (out) => ["resize", small.lora, "--rank", "2", "-o", out]],
  ["combine", (out) => ["combine", "-a", small.lora, "-a", `${small.lora}:0.5`, "-o", out]],
  ["export", (out) => ["export", small.lora, "--target", "vllm", "-o", out]],
];

interface Failed {
  readonly kind: string;
  readonly file?: string;
}
const failure = (stdout: string): Failed => (JSON.parse(stdout.trimEnd().split("\n").at(-1)!) as { error: Failed }).error;

describe.each(COMMANDS)("%s", (_, call) => {
  it("refuses an output that exists before it works", async () => {
    const out = fresh();
    cpSync(llamaLora, out, { recursive: true });
    cpSync(join(base, "model-00001-of-00004.safetensors"), join(out, "model-00001-of-00004.safetensors"));
    const before = filesOf(out);
    const ran = await weft(...call(out), "--json");
    expect([ran.code, failure(ran.stdout).kind, ran.stdout.split("\n").length]).toEqual([2, "exists", 2]);
    expect(filesOf(out)).toEqual(before);
  });

  it("refuses what is no place for files", async () => {
    const pipe = fresh();
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    const file = fresh();
    writeFileSync(file, "");
    for (const [out, kind] of [
      ["/proc/o", "not-a-file"],
      ["/sys/o", "not-a-file"],
      ["/dev/null", "not-a-file"],
      ["/dev/stdout", "not-a-file"],
      [pipe, "not-a-file"],
      [join(pipe, "below"), "not-a-folder"],
      [join(file, "below"), "not-a-folder"],
    ] as const) {
      const ran = await weft(...call(out), "--force", "--json");
      expect([out, ran.code, failure(ran.stdout).kind]).toEqual([out, 2, kind]);
    }
  });

  it("refuses an output in an input", async () => {
    const input = call("").find((word) => word === small.base || word === small.lora || word === large.base)!;
    const link = fresh();
    symlinkSync(input, link);
    const before = readdirSync(input);
    for (const out of [input, link, join(input, "new"), join(link, "further/down"), join(input, "new.safetensors")]) {
      const ran = await weft(...call(out), "--force", "--json");
      expect([out, ran.code, failure(ran.stdout).kind]).toEqual([out, 2, "output-is-input"]);
    }
    expect(readdirSync(input)).toEqual(before);
  });
});

/** SHA-256 of the files of a folder that are no folder's. */
const visible = (out: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(out)
      .filter((name) => !name.startsWith("."))
      .toSorted()
      .map((name) => [name, hashOf(join(out, name))]),
  );

describe("--report", () => {
  it.each([
    ["merge", (report: string) => [...COMMANDS[0]![1](fresh()), "--report", report], () => small.base],
    ["extract", (report: string) => [...COMMANDS[3]![1](fresh()), "--report", report], () => large.base],
  ] as const)("of %s is refused where it cannot be written, before the work", async (_, call, input) => {
    const pipe = fresh();
    expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
    for (const [report, kind] of [
      [pipe, "not-a-file"],
      ["/proc/report.json", "not-a-file"],
      [folder, "not-a-file"],
      [join(input(), "config.json"), "output-is-input"],
    ] as const) {
      const ran = await weft(...call(report), "--json");
      expect([report, ran.code, failure(ran.stdout).kind, ran.stdout.split("\n").length]).toEqual([report, 2, kind, 2]);
    }
  });
});

describe("what --force replaces", () => {
  /** An adapter with a value that is none. */
  function broken(): string {
    const copy = copyFolder(small.lora, fresh());
    const tensor = "base_model.model.model.layers.1.mlp.up_proj.lora_B.weight";
    poke(join(copy, "adapter_model.safetensors"), tensor, new Uint8Array(new Float32Array([NaN]).buffer), 8);
    return copy;
  }

  it("stays if a merge fails", () => {
    const out = fresh();
    expect(spawnWeft(["merge", small.base, "-a", small.lora, "-o", out]).code).toBe(0);
    const before = filesOf(out);
    const ran = spawnWeft(["merge", small.base, "-a", broken(), "-o", out, "--force"]);
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringContaining("NaN or infinite")]);
    expect(filesOf(out)).toEqual(before);
  });

  it("stays if a conversion is not proven", async () => {
    const out = fresh();
    expect((await weft("convert", small.lora, "--to", "mlx", "-o", out)).code).toBe(0);
    const before = filesOf(out);
    const ran = await weft("convert", broken(), "--to", "mlx", "-o", out, "--force");
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringContaining("changes the weight otherwise")]);
    expect(filesOf(out)).toEqual(before);
    const other = fresh();
    expect((await weft("convert", broken(), "--to", "mlx", "-o", other)).code).toBe(1);
    expect(existsSync(other)).toBe(false);
  });

  it("stays if a conversion cannot be written, and the error names the file", () => {
    const out = fresh();
    mkdirSync(out);
    writeFileSync(join(out, "adapter_model.safetensors"), "old");
    const ran = spawnWeft(["convert", large.lora, "--to", "peft", "-o", out, "--force", "--json"], { shell: "ulimit -f 20" });
    expect([ran.code, failure(ran.stdout)]).toEqual([
      1,
      expect.objectContaining({ kind: "disk-full", file: join(out, "adapter_model.safetensors") }),
    ]);
    expect(readdirSync(out)).toEqual(["adapter_model.safetensors"]);
    expect(readFileSync(join(out, "adapter_model.safetensors"), "utf8")).toBe("old");
  });

  /** Starts a command, and waits until it begins to write. */
  async function begun(argv: readonly string[], out: string): Promise<{ readonly kill: () => void; readonly exited: Promise<unknown> }> {
    const child = startWeft(argv, { stdio: "ignore" });
    const exited = new Promise((resolve) => child.on("exit", resolve));
    while (!readdirSync(out).some((entry) => entry.startsWith(".weft")) && child.exitCode === null) await sleep(1);
    return { kill: () => void child.kill("SIGKILL"), exited };
  }

  it.each([
    ["merge", (out: string) => ["merge", large.base, "-a", `${large.lora}:0.5`, "-o", out, "--force", "--jobs", "1"]],
    ["convert", (out: string) => ["convert", large.lora, "--to", "peft", "--fold-alpha", "-o", out, "--force"]],
    ["export", (out: string) => ["export", large.lora, "--target", "vllm", "-o", out, "--force"]],
  ] as const)("stays whole through kill -9 of %s until all of the new is there", { timeout: 120_000 }, async (name, call) => {
    const existing = (): string => {
      const out = fresh();
      if (name === "merge") expect(spawnWeft(["merge", large.base, "-a", large.lora, "-o", out]).code).toBe(0);
      else cpSync(large.lora, out, { recursive: true });
      return out;
    };
    const whole = existing();
    const first = await begun(call(whole), whole);
    const started = performance.now();
    await first.exited;
    const duration = performance.now() - started;
    const out = existing();
    const old = filesOf(out);
    expect(old).not.toEqual(filesOf(whole));
    for (const share of [0, 0.3, 0.5, 0.7, 0.85]) {
      const { kill, exited } = await begun(call(out), out);
      await sleep(share * duration);
      kill();
      await exited;
      const now = visible(out);
      if (JSON.stringify(now) === JSON.stringify(filesOf(whole))) break;
      expect(now, `after ${share} of ${duration} ms`).toEqual(old);
    }
    const again = spawnWeft(call(out));
    expect(again.code, again.stderr).toBe(0);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });

  it("goes with the other shards and the index of the old checkpoint", () => {
    const out = fresh();
    expect(spawnWeft(["merge", small.base, "-a", small.lora, "-o", out]).code).toBe(0);
    writeFileSync(join(out, "notes.txt"), "mine");
    const args = [PROGRAM, "merge", small.base, "-a", small.lora, "-o", out, "--max-shard-size", "1GB"];
    expect(failure(spawnSync(process.execPath, [...args, "--json"], { encoding: "utf8" }).stdout).kind).toBe("exists");
    expect(spawnSync(process.execPath, [...args, "--force"]).status).toBe(0);
    expect(readdirSync(out).toSorted()).toEqual(["config.json", "model.safetensors", "notes.txt"]);
  });
});
