import { CASES, conformance, firstOfEach } from "@weft/tensor-core/testing";
import { afterAll, describe, it } from "vitest";
import { createWasmBackend } from "./index.js";

/** Per primitive and composite: the same modules run all cases in Node, whose engine is the page's. */
const CASES_EACH = 2;

describe("the CPU backend conforms in a page", () => {
  const { checks, close } = conformance(() => createWasmBackend({ threads: 1 }), firstOfEach(CASES, CASES_EACH));
  afterAll(close);
  it.each(checks)("$name", ({ run }) => run());
});
