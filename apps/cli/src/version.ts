import { readFileSync } from "node:fs";

/** What package.json says, which lies above this file both in the sources and in the built program. */
export const { version: VERSION, homepage: HOMEPAGE } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
  readonly version: string;
  readonly homepage: string;
};
