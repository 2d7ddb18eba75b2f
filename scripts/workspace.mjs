// The packages of the workspace, as their folders say: no other list of them is kept.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup.mjs";

const GLOBS = [...readFileSync(join(root, "pnpm-workspace.yaml"), "utf8").matchAll(/^ {2}- (\w+)\/\*$/gm)].map(([, folder]) => folder);

/** Every package: its folder from the root, with "/" on every system, and what its package.json says. */
export const workspace = GLOBS.flatMap((parent) =>
  readdirSync(join(root, parent))
    .filter((name) => existsSync(join(root, parent, name, "package.json")))
    .map((name) => ({
      folder: `${parent}/${name}`,
      manifest: JSON.parse(readFileSync(join(root, parent, name, "package.json"), "utf8")),
    })),
);

/** Those that go to npm. */
export const published = workspace.filter(({ manifest }) => !manifest.private);

/** Names of the folders in `packages/`. */
export const libraries = workspace.filter(({ folder }) => folder.startsWith("packages/")).map(({ folder }) => folder.slice(9));
