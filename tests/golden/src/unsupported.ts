import { existsSync, readdirSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import type { GoldenCase } from "./case.js";

/** Every case below a folder (what has a `case.json`), none of which can be run yet. */
export function unsupportedCases(root: string, suite: string, detail: string): GoldenCase[] {
  if (!existsSync(root)) return [];
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith("case.json"))
    .sort()
    .map((path) => ({
      name: join(suite, relative(root, dirname(join(root, path)))),
      run: () => Promise.resolve({ status: "unsupported", detail }),
    }));
}
