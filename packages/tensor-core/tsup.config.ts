import { readFileSync } from "node:fs";
import { library } from "../../tsup.base.js";

const { version } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")) as { readonly version: string };

export default library(
  [
    "src/index.ts",
    "src/linalg/index.ts",
    "src/methods/index.ts",
    "src/names.ts",
    "src/program/index.ts",
    "src/prompt/index.ts",
    "src/testing/index.ts",
  ],
  { PACKAGE_VERSION: JSON.stringify(version) },
);
