import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bundleExamples, type Examples } from "./run-example.mjs";
import { libraries as packages } from "./workspace.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
/** A block is left out only if its first line says so and why: `// not run: needs a GPU`. */
const NOT_RUN = /^\/\/ not run: \S.*\n/;

const pages = ["README.md", "docs/other-frameworks.md", ...packages.map((name) => `packages/${name}/README.md`)];
const text = (page: string): string => readFileSync(join(root, page), "utf8");

it.each(packages)("packages/%s has a README with an example", (name) => {
  expect(text(`packages/${name}/README.md`)).toMatch(/```ts\n/);
});

const examplesOf = (page: string): string[] =>
  [...text(page).matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!).filter((code) => !NOT_RUN.test(code));

let examples: Examples;
beforeAll(async () => void (examples = await bundleExamples(pages.flatMap(examplesOf))));
afterAll(() => examples.remove());

describe.each(pages)("the examples of %s", (page) => {
  const blocks = examplesOf(page);
  it("exist", () => expect(blocks.length).toBeGreaterThan(0));
  it.each(blocks.map((code, i) => [i + 1, code] as const))("number %i runs", (_, code) => {
    const { status, stderr } = examples.run(code);
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

/** The commands of a page: lines of a shell block that begin with `weft`; a comment may say the exit code, which is 0 otherwise. */
describe.each(["README.md", "apps/cli/README.md"])("the commands of %s", (page) => {
  const blocks = [...text(page).matchAll(/```sh\n([^]*?)```/g)].map(([, code]) => code!).filter((code) => /^weft /m.test(code));
  it("exist", () => expect(blocks.length).toBeGreaterThan(0));
  it.each(blocks.map((code, i) => [i + 1, code] as const))("block %i ends with the exit codes that it says", (_, code) => {
    const folder = mkdtempSync(join(tmpdir(), "weft-readme-"));
    try {
      const commands = code.split("\n").filter((line) => line.startsWith("weft "));
      const script = code.replaceAll(".cache/", `${folder}/`).replaceAll(/^weft .*$/gm, (line) => `${line}\necho "$?" >&3`);
      const { stderr, output } = spawnSync("bash", ["-c", script], {
        cwd: root,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe", "pipe"],
        timeout: 50_000,
      });
      const codes = output[3]!.trim().split("\n");
      expect(
        commands.map((line, i) => `${line.split("#")[0]!.trim()} → ${codes[i]}`),
        stderr,
      ).toEqual(commands.map((line) => `${line.split("#")[0]!.trim()} → ${/# exit code (\d+)/.exec(line)?.[1] ?? 0}`));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("links between pages", () => {
  const all = [
    "README.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    ...packages.map((name) => `packages/${name}/README.md`),
    "apps/cli/README.md",
    "apps/bench/README.md",
    ...readdirSync(join(root, "examples")).map((name) => `examples/${name}/README.md`),
    "docs/agents.md",
    "docs/benchmarks.md",
    "docs/browser.md",
    "docs/compatibility.md",
    "docs/other-frameworks.md",
    "docs/serving.md",
  ];
  it.each(all)("%s points only at files that are there", (page) => {
    const targets = [...text(page).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
    expect(targets.filter((target) => !existsSync(join(root, page, "..", target)))).toEqual([]);
  });
});
