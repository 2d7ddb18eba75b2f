import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "@weft/tensor-core";
import type { GoldenCase, Outcome } from "../case.js";
import { unsupportedCases } from "../unsupported.js";
import { runConvertCase } from "./convert.js";
import { runExtractCase } from "./extract.js";
import { runModuleCase } from "./modules.js";
import { runResizeCase } from "./resize.js";

/** How the cases of a group are run, by the group's folder. */
const GROUPS: Readonly<Record<string, (folder: string, device: Device) => Promise<Outcome>>> = {
  convert: runConvertCase,
  extract: runExtractCase,
  modules: runModuleCase,
  resize: runResizeCase,
};

/** The cases of a folder that make_lycoris.py wrote. */
export function lycorisCases(root: string): GoldenCase[] {
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .toSorted()
    .flatMap((group) => {
      const run = GROUPS[group];
      const home = join(root, group);
      if (!run) return unsupportedCases(home, `lycoris/${group}`, group);
      return readdirSync(home)
        .filter((name) => existsSync(join(home, name, "case.json")))
        .toSorted()
        .map((name) => ({ name: `lycoris/${group}/${name}`, run: (device: Device) => run(join(home, name), device) }));
    });
}
