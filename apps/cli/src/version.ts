import { readFileSync } from "node:fs";

/** The version in package.json, which lies above this file both in the sources and in the built program. */
export const VERSION = (JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string }).version;
