import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Device } from "@weft/tensor-core";
import { Comparison, type GoldenCase } from "../case.js";
import { readJson } from "../peft/files.js";
import { bnb4Case } from "./bnb4.js";
import { bnbLinearCase } from "./bnb-linear.js";
import { Fixture } from "./fixture.js";
import { int8Case } from "./int8.js";

/** What manifest.json says of a file: its cases by name, where it has several. */
interface FileCases {
  readonly cases?: { readonly [name: string]: object };
  readonly types?: { readonly [name: string]: object };
}
/** Compares one case. @param about what the manifest says of it */
type Run = (files: { readonly folder: string; readonly fixture: Fixture; readonly name: string; readonly about: never }, device: Device) => Promise<Comparison>;

/** How the cases of a file are run. Files that are not here hold what is not supported yet. */
const FILES: Readonly<Record<string, Run>> = {
  bnb4: bnb4Case,
  bnb_linear_nf4_io: bnbLinearCase,
  bnb_linear_fp4_io: bnbLinearCase,
  int8: int8Case,
};

/** The cases of a folder that make_quant.py wrote: `quant/bnb4/c0`. */
export function quantCases(root: string): GoldenCase[] {
  if (!existsSync(join(root, "manifest.json"))) return [];
  const { cases } = readJson<{ cases: Readonly<Record<string, FileCases>> }>(root, "manifest.json");
  return Object.entries(cases).flatMap(([file, about]) => {
    const stem = file.replace(/\.safetensors$/, "");
    const several = Object.entries(about.cases ?? about.types ?? { [basename(stem)]: about });
    return several.map(([name, one]): GoldenCase => ({
      name: `quant/${about.cases || about.types ? `${stem}/${name}` : stem}`,
      async run(device) {
        const run = FILES[stem];
        if (!run || !existsSync(join(root, file))) return { status: "unsupported", detail: run ? `${file} is not there` : `nothing runs ${file}` };
        const fixture = await Fixture.open(join(root, file));
        return (await run({ folder: root, fixture, name, about: one as never }, device)).outcome();
      },
    }));
  });
}
