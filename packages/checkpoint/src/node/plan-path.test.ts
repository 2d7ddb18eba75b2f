import { posix, win32 } from "node:path";
import { expect, it } from "vitest";
import { planPath } from "./plan-path.js";

it.each([
  ["from its folder, with slashes", "C:\\work\\plans", "C:\\work\\models\\base", win32, "../models/base"],
  ["its folder itself", "C:\\work", "c:\\WORK", win32, "."],
  ["on another drive, whole", "C:\\work", "D:\\models\\base", win32, "D:\\models\\base"],
  ["on a server, whole", "C:\\work", "\\\\server\\share\\base", win32, "\\\\server\\share\\base"],
  ["from its folder", "/work/plans", "/work/models/base", posix, "../models/base"],
  ["with a backslash in its name, which is a letter like others", "/work", "/work/a\\b", posix, "a\\b"],
])("a path in a plan is %s", (_, folder, path, rules, expected) => {
  expect(planPath(folder, path, rules)).toBe(expected);
});
