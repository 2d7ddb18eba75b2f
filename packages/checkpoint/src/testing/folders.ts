import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** The fixtures of the repository. */
export const FIXTURES: string = join(import.meta.dirname, "../../../../fixtures");

/** A folder that is removed when the test file is done. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "weft-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
