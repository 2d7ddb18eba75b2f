import { cpSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FIXTURES, spawnWeft, temporaryFolder, weft } from "../testing/cli.js";

const folder = temporaryFolder();
const base = join(FIXTURES, "peft/llama_base");
const lora = join(FIXTURES, "peft/llama_lora");
const out = join(folder, "out");

describe("what is wrong, and what to do", () => {
  it.each([
    [["merge", lora, "-a", base, "-o", out], "not-a-checkpoint", /llama_lora: this is an adapter.*\n.*did you swap/],
    [["merge", base, "-a", base, "-o", out], "unknown-dialect", /llama_base: this looks like a checkpoint.*\n.*did you swap/],
    [["convert", base, "--to", "kohya", "-o", out], "unknown-dialect", /llama_base: this looks like a checkpoint/],
    [["extract", lora, "--base", base, "--rank", "2", "-o", out], "not-a-checkpoint", /llama_lora: this is an adapter/],
    [["merge", base, "-a", `${lora}:abc`, "-o", out], "usage", /factor "abc" is not a finite number\n.*llama_lora:0\.5/],
    [["merge", "meta-llama/X", "-a", lora, "-o", out], "not-found", /^error: meta-llama\/X: .*\n.*hf:meta-llama\/X$/m],
    [["inspect", "meta-llama/X"], "not-found", /hf:meta-llama\/X$/m],
    [["merge", base, "-a", "user/lora", "-o", out], "not-found", /^error: user\/lora: .*\n.*hf:user\/lora$/m],
    [["lint", "nowhere"], "not-found", /^error: nowhere: there is no such file or folder\n$/],
    [["merge", base, "-a", lora, "-o", out, "--dtype", "fp16"], "usage", /did you mean f16\?/],
    [["merge", base, "-a", lora, "-o", out, "--dtype", "bfloat16"], "usage", /did you mean bf16\?/],
    [["extract", base, "--base", base, "-o", out, "--dtype", "Float16"], "usage", /did you mean f16\?/],
    [["convert", lora, "--to", "kohia", "-o", out], "usage", /did you mean kohya\?/],
    [["convert", lora, "--to", "zip", "-o", out], "usage", /one of peft, kohya.*\n.*weft convert --help/],
  ])("%j", async (argv, kind, text) => {
    const ran = await weft(...argv);
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toMatch(text);
    expect(JSON.parse((await weft(...argv, "--json")).stdout)).toMatchObject({ error: { kind } });
    expect(existsSync(out)).toBe(false);
  });

  it("names what is near where --tensors finds nothing", async () => {
    const ran = await weft("inspect", lora, "--tensors", "q_porj*");
    expect([ran.code, ran.stdout]).toEqual([4, ""]);
    expect(ran.stderr).toMatch(/no tensor's name is like q_porj\*\n {2}hint: did you mean "\*q_proj\*"\?/);
    expect(JSON.parse((await weft("inspect", lora, "--tensors", "zzz*", "--json")).stdout)).toMatchObject({ error: { kind: "no-match" } });
    expect((await weft("inspect", lora, "--tensors", "*q_proj*")).code).toBe(0);
  });
});

it("takes a path with a colon literally where it exists", () => {
  const run = join(folder, "run_12:30");
  cpSync(lora, run, { recursive: true });
  const scales: number[] = [];
  for (const text of [run, `${run}:0.5`]) {
    const report = join(folder, "report.json");
    const ran = spawnWeft(["merge", base, "-a", text, "-o", join(folder, "merged:1"), "--force", "--report", report, "--json"]);
    expect(ran.code, ran.stdout).toBe(0);
    scales.push((JSON.parse(readFileSync(report, "utf8")) as { adapters: { scale: number }[] }).adapters[0]!.scale);
  }
  expect(scales).toEqual([1, 0.5]);
});
