import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { main } from "../main.js";
import { PROGRAM, weft } from "../testing/cli.js";
import { createProgram } from "./create-program.js";

const silent = { stdout: () => {}, stderr: () => {}, terminal: false };
const NAMES = createProgram(silent, async () => {}).commands.map((command) => command.name());

/** The calls under "Examples:" of a help. */
const examplesIn = (help: string): string[] =>
  [...help.slice(help.indexOf("Examples:")).matchAll(/^ {2}(?:source <\()?(weft [^>)\n]*)/gm)].map((m) => m[1]!.trim());

/** The words of a shell command. */
const words = (line: string): string[] => [...line.matchAll(/"([^"]*)"|\S+/g)].map((m) => m[1] ?? m[0]);

describe("help", () => {
  it.each(NAMES)("of %s says every option, the global ones, and examples that parse", async (name) => {
    const { code, stdout } = await weft(name, "--help");
    expect(code).toBe(0);
    for (const option of ["--json", "--quiet", "--verbose", "--jobs", "--dry-run", "--force"]) expect(stdout).toContain(option);
    expect(stdout).not.toMatch(/\(default\)/);
    expect((await weft("help", name)).stdout).toBe(stdout);
    const calls = examplesIn(stdout);
    expect(calls.length).toBeGreaterThan(0);
    for (const call of calls) {
      let called = 0;
      const program = createProgram(silent, async () => void called++);
      await program.parseAsync(words(call).slice(1), { from: "user" });
      expect([call, called]).toEqual([call, 1]);
    }
    for (const option of createProgram(silent, async () => {}).commands.find((command) => command.name() === name)!.options)
      expect([option.flags, option.description]).toEqual([option.flags, expect.stringMatching(/\w/)]);
  });

  it("wraps at the width of the terminal", async () => {
    let text = "";
    const out = { stdout: (more: string) => void (text += more), stderr: () => {}, terminal: true, columns: () => 60 };
    await main(["merge", "--help"], out);
    const [help] = text.split("Examples:");
    expect(Math.max(...help!.split("\n").map((line) => line.length))).toBeLessThanOrEqual(60);
  });

  it("is what weft alone prints", async () => {
    const { stdout: help } = await weft("--help");
    expect(help).toMatch(/inspect .*\n[^]*merge .*\n[^]*doctor/);
    expect(await weft()).toEqual({ code: 0, stdout: help, stderr: "" });
  });

  it("has the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as { version: string };
    expect((await weft("--version")).stdout).toBe(`${version}\n`);
  });
});

describe("usage errors", () => {
  it.each([
    [["merge", "--adaptr", "x"], /unknown option '--adaptr'\n {2}hint: did you mean --adapter\?/],
    [["merge", "base", "-a", "x", "--outt", "y"], /unknown option '--outt'\n {2}hint: did you mean --out\?/],
    [["merge", "base", "-a", "x"], /required option '-o, --out <folder>' not specified\n {2}hint: weft merge --help/],
    [["mrge"], /unknown command 'mrge'\n {2}hint: did you mean merge\?/],
    [["diff", "a", "b", "c"], /too many arguments.*\n {2}hint: weft diff --help/],
    [["inspect", "--jsn", "a"], /unknown option '--jsn'\n {2}hint: did you mean --json\?/],
  ])("%j", async (argv, message) => {
    const ran = await weft(...argv);
    expect(ran.code).toBe(2);
    expect(ran.stderr).toMatch(message);
    expect(JSON.parse((await weft(...argv, "--json")).stdout)).toMatchObject({ error: { kind: "usage" } });
  });
});

describe("the built program", () => {
  it("loads little before it knows the command", () => {
    const loaded = new Set<string>();
    const load = (file: string): void => {
      if (loaded.has(file)) return;
      loaded.add(file);
      for (const [, next] of readFileSync(file, "utf8").matchAll(/^(?:import|export)\b[^;]*?from "(\.\/[^"]+)"/gm))
        load(join(dirname(file), next!));
    };
    load(PROGRAM);
    // commander, errors and the headers of files; all methods and dialects would be 600 kB more.
    expect([...loaded].reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(350_000);
  });
});
