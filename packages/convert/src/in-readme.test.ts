import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { DIALECTS } from "@weft/adapter-files/dialects";
import { TARGETS } from "./targets/targets.js";

/** Rows of the table of key schemes on the page of compatibility: name, read, written. */
function rows(): [string, boolean, boolean][] {
  const page = readFileSync(new URL("../../../docs/compatibility.md", import.meta.url), "utf8");
  const table = /\| key scheme \| read \| written \|\n\|[-|]+\|\n((?:\|.*\|\n)+)/.exec(page)![1]!;
  return table
    .trim()
    .split("\n")
    .map((line) => line.split("|").map((cell) => cell.trim()))
    .map(([, name, read, written]) => [/`([^`]+)`/.exec(name!)![1]!, read === "✓", written === "✓"]);
}

it("the page of compatibility lists the key schemes that are read and written", () => {
  const names = new Set<string>([...DIALECTS.keys(), ...TARGETS.keys()]);
  const expected = [...names].map((name) => [name, DIALECTS.has(name as never), TARGETS.has(name as never)]);
  expect(rows().toSorted()).toEqual(expected.toSorted());
});
