import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { runExample } from "./run-example.mjs";

const root = fileURLToPath(new URL("../", import.meta.url));
/** Packages whose own tests run their example and compare what it prints. */
const TESTED_THEMSELVES = new Set(["registry", "kernels-webgpu", "models"]);
/** A block is left out only if its first line says so and why: `// not run: needs a GPU`. */
const NOT_RUN = /^\/\/ not run: \S.*\n/;

const packages = readdirSync(join(root, "packages")).filter((name) => existsSync(join(root, "packages", name, "package.json")));
const pages = ["README.md", ...packages.filter((name) => !TESTED_THEMSELVES.has(name)).map((name) => `packages/${name}/README.md`)];
const text = (page: string): string => readFileSync(join(root, page), "utf8");

it.each(packages)("packages/%s has a README with an example", (name) => {
  expect(text(`packages/${name}/README.md`)).toMatch(/```ts\n/);
});

describe.each(pages)("the examples of %s", (page) => {
  const blocks = [...text(page).matchAll(/```ts\n([^]*?)```/g)].map(([, code]) => code!).filter((code) => !NOT_RUN.test(code));
  it("exist", () => expect(blocks.length).toBeGreaterThan(0));
  it.each(blocks.map((code, i) => [i + 1, code] as const))("number %i runs", async (_, code) => {
    const { status, stderr } = await runExample(code);
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });
});

describe("links between pages", () => {
  const all = ["README.md", "CONTRIBUTING.md", ...packages.map((name) => `packages/${name}/README.md`), "apps/cli/README.md", "apps/bench/README.md", "examples/node-merge/README.md"];
  it.each(all)("%s points only at files that are there", (page) => {
    const targets = [...text(page).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)].map(([, target]) => target!);
    expect(targets.filter((target) => !existsSync(join(root, page, "..", target)))).toEqual([]);
  });
});
