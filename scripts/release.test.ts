import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { root } from "./setup.mjs";
import { published, workspace } from "./workspace.mjs";

const REPOSITORY = "https://github.com/OWNER/weft";

describe.each(published.map(({ folder, manifest }) => [manifest.name as string, folder, manifest] as const))(
  "%s",
  (name, folder, manifest) => {
    it("says on npm what it is, whose it is, and where it comes from", () => {
      expect(manifest).toMatchObject({
        name: `@weft/${folder.split("/")[1]}`,
        description: expect.stringMatching(/\w{3}/),
        keywords: expect.arrayContaining(["weft", "lora"]),
        homepage: `${REPOSITORY}/tree/main/${folder}#readme`,
        bugs: `${REPOSITORY}/issues`,
        author: "The weft authors",
        license: "Apache-2.0",
        repository: { type: "git", url: `git+${REPOSITORY}.git`, directory: folder },
        type: "module",
        engines: { node: ">=20.19" },
        publishConfig: { access: "public" },
        scripts: { prepack: "turbo run build && tsc -b" },
      });
      expect(existsSync(join(root, folder, "README.md"))).toBe(true);
    });

    it("publishes every entry from dist, with types", () => {
      const { exports = {} } = manifest;
      // What only tests of the workspace use stays out, with its files.
      const kept = (entry: string): boolean => entry !== "./testing" || !manifest.files.includes("!dist/**/testing");
      const entries = Object.entries<string>(exports).filter(([entry]) => kept(entry));
      const built = Object.fromEntries(
        entries.map(([entry, source]) => {
          const file = source.replace("./src/", "./dist/").replace(/\.ts$/, "");
          return [entry, { types: `${file}.d.ts`, default: `${file}.js` }];
        }),
      );
      expect(manifest.publishConfig.exports ?? {}).toEqual(built);
      expect(Object.keys(exports).length > 0 || name === "@weft/cli").toBe(true);
    });

    it("depends on nothing that is not published", () => {
      const names = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }).filter((other) => other.startsWith("@weft"));
      expect(names.filter((other) => !published.some((p) => p.manifest.name === other))).toEqual([]);
    });
  },
);

it("stands under an account that one replacement names, as RELEASING.md gives it", () => {
  const pages = readdirSync(join(root, ".github"), { recursive: true, encoding: "utf8" }).filter((name) => /\.(md|yml)$/.test(name));
  const texts = pages.map((name) => readFileSync(join(root, ".github", name), "utf8"));
  expect(texts.join("\n")).toContain("github.repository == 'OWNER/weft'");
  expect(texts.filter((text) => text.replaceAll("OWNER/weft", "").includes("OWNER"))).toEqual([]);
});

/** A version is set on a copy of what changesets reads: manifests, changesets, and a git repository around them. */
describe("changeset version", () => {
  const copy = mkdtempSync(join(tmpdir(), "weft version "));
  const read = (folder: string) => JSON.parse(readFileSync(join(copy, folder, "package.json"), "utf8"));
  const named = new Set<string>();

  beforeAll(() => {
    for (const file of [
      "package.json",
      "pnpm-workspace.yaml",
      ".changeset",
      ...workspace.map(({ folder }) => join(folder, "package.json")),
    ])
      cpSync(join(root, file), join(copy, file), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "junction");
    // One change for every published package, so that the test does not hang on what happens to be pending.
    const everything = published.map(({ manifest }) => `"${manifest.name}": minor\n`).join("");
    writeFileSync(join(copy, ".changeset/everything.md"), `---\n${everything}---\n\nA change of everything.\n`);
    for (const file of readdirSync(join(copy, ".changeset")).filter((f) => f.endsWith(".md")))
      for (const [, name] of readFileSync(join(copy, ".changeset", file), "utf8")
        .split("---")[1]!
        .matchAll(/^"(.*?)":/gm))
        named.add(name!);
    execFileSync("git", ["init", "--quiet", "--initial-branch=main"], { cwd: copy });
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "node_modules/@changesets/cli/bin.js"), "version"], {
      cwd: copy,
      encoding: "utf8",
    });
    expect([status, stderr], stdout).toEqual([0, expect.not.stringContaining("error")]);
  });
  afterAll(() => rmSync(copy, { recursive: true }));

  it("is asked for by changesets that name published packages only", () => {
    expect([...named].filter((name) => !published.some(({ manifest }) => manifest.name === name))).toEqual([]);
  });

  it.each(published.map(({ manifest, folder }) => [manifest.name as string, folder, manifest.version as string]))(
    "gives %s the next minor version below 1.0 and a changelog",
    (_, folder, before) => {
      const [major, minor] = before.split(".").map(Number);
      expect(read(folder).version).toBe(`${major}.${minor! + 1}.0`);
      expect(major).toBe(0);
      expect(readFileSync(join(copy, folder, "CHANGELOG.md"), "utf8")).toContain("A change of everything.");
    },
  );

  it.each(
    workspace
      .filter(({ manifest }) => manifest.private)
      .map(({ folder, manifest }) => [manifest.name as string, folder, manifest] as const),
  )("leaves %s, which is private, as it is", (_, folder, manifest) => {
    expect(read(folder)).toEqual(manifest);
    expect(existsSync(join(copy, folder, "CHANGELOG.md"))).toBe(false);
  });

  it("uses the changesets up", () => {
    expect(readdirSync(join(copy, ".changeset")).filter((file) => file.endsWith(".md"))).toEqual([]);
  });
});
