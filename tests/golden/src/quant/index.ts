import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import type { Device } from "@weft/tensor-core";
import { Comparison, type GoldenCase } from "../case.js";
import { readJson } from "../peft/files.js";
import { awqCase } from "./awq.js";
import { bnb4Case } from "./bnb4.js";
import { bnbLinearCase } from "./bnb-linear.js";
import { bnbModelCase } from "./bnb-model.js";
import { Fixture } from "./fixture.js";
import { ggufCase } from "./gguf.js";
import { gptqCase } from "./gptq.js";
import { int8Case } from "./int8.js";
import { qloraCase } from "./qlora.js";
import { tinyGgufCase } from "./tiny-gguf.js";

/** What manifest.json says of a file: its cases by name, where it has several. */
interface FileCases {
  readonly cases?: { readonly [name: string]: object };
  readonly types?: { readonly [name: string]: object };
}
/** Compares one case. @param about what the manifest says of it */
type Run = (
  files: { readonly folder: string; readonly file: string; readonly fixture: Fixture; readonly name: string; readonly about: never },
  device: Device,
) => Promise<Comparison>;

/** How the cases of a file are run. Files that are not here hold what is not supported yet. */
const FILES: Readonly<Record<string, Run>> = {
  bnb4: bnb4Case,
  bnb_linear_nf4_io: bnbLinearCase,
  bnb_linear_fp4_io: bnbLinearCase,
  "bnb_model_nf4/io": bnbModelCase,
  "bnb_model_int8/io": bnbModelCase,
  awq: awqCase,
  gptq: gptqCase,
  int8: int8Case,
  qlora: qloraCase,
  gguf_types: ggufCase,
  tiny_gguf: tinyGgufCase,
};

/** The cases of a folder that make_quant.py wrote: `quant/bnb4/c0`. */
export function quantCases(root: string): GoldenCase[] {
  if (!existsSync(join(root, "manifest.json"))) return [];
  const { cases } = readJson<{ cases: Readonly<Record<string, FileCases>> }>(root, "manifest.json");
  const present = Object.entries(cases).filter(([file]) => existsSync(join(root, file)));
  return present.flatMap(([file, about]) => {
    const stem = file.replace(/\.safetensors$/, "");
    const several = Object.entries(about.cases ?? about.types ?? { [basename(stem)]: about });
    return several.map(([name, one]): GoldenCase => ({
      name: `quant/${about.cases || about.types ? `${stem}/${name}` : stem}`,
      async run(device) {
        const run = FILES[stem];
        if (!run) return { status: "unsupported", detail: `nothing runs ${file}` };
        const fixture = await Fixture.open(join(root, file));
        return (await run({ folder: root, file, fixture, name, about: one as never }, device)).outcome();
      },
    }));
  });
}
