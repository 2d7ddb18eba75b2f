import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { Output } from "./output.js";
import { Progress } from "./progress.js";
import { PROGRAM, temporaryFolder } from "./testing/cli.js";
import { makeLlama } from "@weft/checkpoint/testing";

const OPTIONS = { json: false, quiet: false, verbose: false, dryRun: false, force: false, jobs: undefined, methods: [] };

/** What takes the line before away. */
const CLEAR = "\r\u001b[2K";

/** The line that is drawn at a width. */
function drawn(columns: number, terminal = true): string {
  let text = "";
  const streams = { stdout: () => {}, stderr: (more: string) => void (text += more), terminal, columns: () => columns };
  new Progress(new Output(streams, OPTIONS), "merge", 1e10).update(4.2e9, "model.layers.21.mlp.up_proj.weight");
  return text;
}

describe("a line of progress", () => {
  it.each([20, 40, 60, 74, 75, 80, 120, 200])("of %i columns fits", (columns) => {
    const line = drawn(columns);
    expect(line.startsWith(CLEAR)).toBe(true);
    expect(line).toContain("42%");
    expect(line.length - CLEAR.length).toBeLessThan(columns);
  });

  it("has as much as fits", () => {
    expect(drawn(120)).toMatch(/█+─+\] +42% {2}4\.2 GB of 10\.0 GB .*eta .* {2}model\.layers\.21\.mlp\.up_proj\.weight$/);
    expect(drawn(80)).toMatch(/█+─+\] +42% {2}4\.2 GB of 10\.0 GB .*eta [^ ]+$/);
    expect(drawn(60)).toMatch(/█+─+\] +42% {2}4\.2 GB of 10\.0 GB/);
    expect(drawn(30)).toMatch(/42% {2}4\.2 GB of 10\.0 GB$/);
    expect(drawn(20)).toBe(`${CLEAR}  [████──────]  42%`);
  });

  it("is not drawn where there is no terminal", () => expect(drawn(80, false)).toBe(""));
});

describe("in a terminal", () => {
  const folder = temporaryFolder();
  let large: { readonly base: string; readonly lora: string };
  beforeAll(() => {
    large = makeLlama(join(folder, "large"), { layers: 8, hidden: 512, intermediate: 1408, heads: 8, kvHeads: 4, vocab: 8000, shards: 2 });
  });

  it.for([60, 120])("of %i columns a merge never wraps", (columns, { skip }) => {
    const line = `stty cols ${columns}; "${process.execPath}" "${PROGRAM}" merge ${large.base} -a ${large.lora} -o ${folder}/out-${columns}`;
    const ran = spawnSync("script", ["-qec", line, "/dev/null"], { encoding: "utf8", env: { ...process.env, TERM: "xterm" } });
    if (ran.error) return skip("no script(1) here");
    expect(ran.status, ran.stdout).toBe(0);
    const draws = ran.stdout
      .split(CLEAR)
      .slice(1)
      .map((text) => text.split(/[\r\n]/)[0]!)
      .filter((text) => text.includes("%"));
    expect(draws.length).toBeGreaterThan(1);
    for (const text of draws) expect(text.length).toBeLessThan(columns);
    expect(ran.stdout).toContain("\u001b[32m✓\u001b[39m");
  });
});
