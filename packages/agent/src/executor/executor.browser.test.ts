import { afterAll, expect, it } from "vitest";
import { Verifier } from "../claims/verifier.js";
import { Executor } from "./executor.js";

const executor = new Executor({ program: new URL("../testing/page-program.ts", import.meta.url) });
afterAll(() => executor.dispose());

it("calculates and verifies in a page's workers, and ends a loop", async () => {
  const run = (expression: string, ms: number): ReturnType<typeof executor.run> =>
    executor.run("calculator", expression, { deadline: Date.now() + ms });
  expect(await run("2^1000 mod 7", 20_000)).toEqual({ ok: true, content: "2" });
  expect(await run(`${"5000! - 5000! + ".repeat(600)}1`, 300)).toMatchObject({ ok: false, reason: "timeout" });
  expect(await run("0.1 + 0.2", 20_000)).toEqual({ ok: true, content: "3/10 = 0.3" });
  const verdict = await new Verifier(executor).verify({ type: "propositional", premises: ["p -> q", "p"], follows: "q" });
  expect(verdict).toEqual({ status: "verified", check: "propositional", detail: "follows from: p -> q; p" });
});
