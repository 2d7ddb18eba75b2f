import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder, weft } from "../testing/cli.js";
import { SHELLS, type Shell } from "./shells.js";

const folder = temporaryFolder();
mkdirSync(join(folder, "lora"));
writeFileSync(join(folder, "model.safetensors"), "");
const file = (shell: Shell): string => join(folder, `weft.${shell}`);

beforeAll(async () => {
  for (const shell of SHELLS) {
    const { code, stdout } = await weft("completion", shell);
    expect(code).toBe(0);
    writeFileSync(file(shell), stdout);
  }
});

/** What a shell prints; undefined where it is not installed. */
function run(shell: Shell, args: readonly string[]): string[] | undefined {
  const ran = spawnSync(shell, args, { encoding: "utf8", cwd: folder, env: { ...process.env, HOME: folder, TERM: "xterm" } });
  if (ran.error) return undefined;
  expect([ran.status, ran.stderr]).toEqual([0, ""]);
  return ran.stdout.split("\n").filter((line) => line !== "");
}

/** Words of a command line of which the last is being typed, and all that may stand in its place or some of it. */
const CASES: readonly (readonly [words: string, expected: readonly string[]])[] = [
  ["me", ["merge"]],
  ["merge --dt", ["--dtype"]],
  ["merge base --dtype ", ["f32", "f16", "bf16"]],
  ["merge base --dtype b", ["bf16"]],
  ["--json merge --forc", ["--force"]],
  ["convert x --to ko", ["kohya"]],
  ["combine --combine tie", ["ties", "ties_svd"]],
  ["extract tuned --auto", ["--auto-rank"]],
  ["completion f", ["fish"]],
  ["help ins", ["inspect"]],
];

describe("bash", () => {
  /** bash's own completion, called as it does. */
  const complete = (words: string): string[] | undefined => {
    const list = `weft ${words}`.split(" ");
    const quoted = list.map((word) => `'${word}'`).join(" ");
    return run("bash", [
      "--norc",
      "-c",
      `source "${file("bash")}"; COMP_WORDS=(${quoted}); COMP_CWORD=${list.length - 1}; _weft; printf '%s\\n' "\${COMPREPLY[@]}"; complete -p weft >/dev/null`,
    ]);
  };

  it.each(CASES)("weft %s", (words, expected) => expect(complete(words)).toEqual(expected));

  it("leaves files to bash", () => {
    for (const words of ["merge ", "merge base -a ", "merge base -o l", "merge base --max-memory "]) expect(complete(words)).toEqual([]);
    expect(run("bash", ["--norc", "-c", `source "${file("bash")}"; complete -p weft`])).toEqual([
      "complete -o bashdefault -o default -F _weft weft",
    ]);
  });

  it("knows --dtype=b, which comes as three words", () => {
    expect(complete("merge base --dtype = b")).toEqual(["bf16"]);
    expect(complete("merge base --dtype =")).toEqual(["f32", "f16", "bf16"]);
  });

  it("offers every command and every option", () => {
    expect(complete("")).toEqual(expect.arrayContaining(["inspect", "merge", "convert", "doctor", "completion", "help"]));
    expect(complete("merge -")).toEqual(expect.arrayContaining(["-a", "--adapter", "-o", "--out", "--no-untie", "--json", "--help"]));
  });
});

describe("fish", () => {
  const complete = (words: string): string[] | undefined =>
    run("fish", ["--no-config", "-c", `source "${file("fish")}"; complete -C 'weft ${words}'`])?.map((line) => line.split("\t")[0]!);

  it.for(CASES)("weft %s", ([words, expected], { skip }) => {
    const found = complete(words);
    if (!found) return skip("no fish here");
    expect(found.toSorted()).toEqual(expected.toSorted());
    return undefined;
  });
});

describe("zsh", () => {
  it("reads it, and calls it for weft", ({ skip }) => {
    if (!run("zsh", ["-n", file("zsh")])) return skip("no zsh here");
    const script = `autoload -U compinit; compinit -u -d "${join(folder, "dump")}"; source "${file("zsh")}"; print $_comps[weft]`;
    expect(run("zsh", ["-fc", script])).toEqual(["_weft"]);
    return undefined;
  });
});
