import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Executor } from "../executor/executor.js";
import { builtExecutor } from "../testing/executor.js";
import type { Claim, Verdict } from "./claim.js";
import { Verifier } from "./verifier.js";

let executor: Executor;
let verifier: Verifier;
beforeAll(async () => {
  executor = builtExecutor({ size: 1 });
  verifier = new Verifier(executor, { timeout: 20_000 });
  // The solver takes long to start on a busy machine, which no test should wait for in its own time.
  await verifier.verify({ type: "smt", follows: "true" });
}, 300_000);
afterAll(() => executor.dispose());

const claims = JSON.parse(readFileSync(join(import.meta.dirname, "../../../../fixtures/claims.json"), "utf8")) as {
  claim: Claim;
  truth: boolean;
}[];

describe("claims of which Python says whether they are right", () => {
  it("are 202, half of them wrong", () => expect([claims.length, claims.filter(({ truth }) => truth).length]).toEqual([202, 101]));

  it.each([...new Set(claims.map(({ claim }) => claim.type))])("all of %s get the right verdict", async (type) => {
    const wrong: unknown[] = [];
    for (const { claim, truth } of claims.filter((one) => one.claim.type === type)) {
      const verdict = await verifier.verify(claim);
      if (verdict.status !== (truth ? "verified" : "refuted")) wrong.push({ claim, verdict });
      if (verdict.status === "refuted") expect(verdict.witness).not.toBe("");
    }
    expect(wrong).toEqual([]);
  });
});

const verdictOf = (claim: Claim): Promise<Verdict> => verifier.verify(claim);
const arithmetic = (claim: string): Promise<Verdict> => verdictOf({ type: "arithmetic", claim });

describe("a refutation has a witness", () => {
  it("both sides of a relation", async () => {
    expect(await arithmetic("2^10 = 1000")).toMatchObject({ witness: "the left side is 1024, the right 1000" });
    expect(await arithmetic("5 m = 5 s")).toMatchObject({ status: "refuted", witness: "the left side is in m, the right in s" });
  });
  it("a counter-example", async () => {
    const claim: Claim = { type: "propositional", premises: ["p -> q", "q"], follows: "p" };
    expect(await verdictOf(claim)).toMatchObject({ status: "refuted", witness: "counter-example: p = false, q = true" });
    const smt: Claim = { type: "smt", declarations: "(declare-const x Int)", premises: ["(> x 2)", "(< x 5)"], follows: "(= x 3)" };
    expect(await verdictOf(smt)).toMatchObject({ status: "refuted", witness: expect.stringMatching(/x \(\) Int 4/u) });
  });
  it("the formulas that contradict each other, and no others", async () => {
    const claim: Claim = { type: "propositional", consistent: ["a", "p", "p -> q", "b | a", "!q"] };
    expect(await verdictOf(claim)).toMatchObject({ status: "refuted", witness: "these contradict each other: p; p -> q; !q" });
    const smt: Claim = { type: "smt", declarations: "(declare-const x Int)", consistent: ["(> x 2)", "(< x 9)", "(< x 1)"] };
    expect(await verdictOf(smt)).toMatchObject({ status: "refuted", witness: "these contradict each other: (> x 2); (< x 1)" });
  });
  it("a day that the calendar does not have", async () =>
    expect(await verdictOf({ type: "date", claim: "2023-02-29 + 1 day = 2023-03-01" })).toMatchObject({
      witness: "the calendar has no 2023-02-29",
    }));
  it("a place in an answer", async () => {
    const schema = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
    expect(await verdictOf({ type: "schema", value: { n: 1 }, schema })).toMatchObject({ status: "verified" });
    expect(await verdictOf({ type: "schema", value: { n: "1" }, schema })).toMatchObject({
      status: "refuted",
      witness: expect.stringContaining("#/n"),
    });
  });
});

const cube = (name: string): string => `(* ${name} ${name} ${name})`;

describe("what no check decides is unknown, and never verified", () => {
  it.each([
    ["sqrt(2)^2 = 2"],
    ["[1, 2] = [1, 2]"],
    ["1/0 = 1/0"],
    ["1 + 1"],
    ["the moon is made of cheese"],
    ["9^9^9 = 9^9^9"],
    ["1 = 1; 2 = 2"],
    [""],
  ])("%s", async (claim) => expect(await arithmetic(claim)).toMatchObject({ status: "unknown" }));

  it.each<[string, Claim]>([
    ["dates of two kinds", { type: "date", claim: "2024-01-01 = Monday" }],
    ["a set and a number", { type: "set", claim: "{1} union 2 = {1, 2}" }],
    ["commands in the place of declarations", { type: "smt", declarations: "(assert false)", follows: "false" }],
    ["several terms in the place of one", { type: "smt", follows: "true) (assert false" }],
    ["a term that closes its denial", { type: "smt", follows: "true :named x)) (assert (! false" }],
    ["an option that writes a file", { type: "smt", declarations: '(set-option :regular-output-channel "x")', follows: "true" }],
    ["an unknown symbol", { type: "smt", follows: "(> nothing 1)" }],
    ["a formula that ends too early", { type: "propositional", follows: "p &" }],
    ["a type that there is not", { type: "moon", claim: "x" } as unknown as Claim],
  ])("%s", async (_, claim) => expect(await verdictOf(claim)).toMatchObject({ status: "unknown", reason: expect.stringMatching(/./u) }));

  it("a search that does not end in time", async () => {
    const impatient = new Verifier(executor, { timeout: 700 });
    const claim: Claim = {
      type: "smt",
      declarations: "(declare-const x Int)(declare-const y Int)(declare-const z Int)",
      premises: ["(> x 0)", "(> y 0)", "(> z 0)"],
      follows: `(not (= (+ ${cube("x")} ${cube("y")}) ${cube("z")}))`,
    };
    expect(await impatient.verify(claim)).toMatchObject({ status: "unknown" });
  });
});

it("says what a conclusion follows from", async () => {
  const claim: Claim = { type: "propositional", premises: ["p", "r", "p -> q"], follows: "q" };
  expect(await verdictOf(claim)).toMatchObject({ status: "verified", detail: "follows from: p; p -> q" });
  const contradiction: Claim = { type: "propositional", premises: ["p", "!p"], follows: "q" };
  expect(await verdictOf(contradiction)).toMatchObject({ status: "verified", detail: "the premises contradict each other: p; !p" });
});

it("near is within half a unit of the last digit, and within is within", async () => {
  expect(await arithmetic("1/3 ≈ 0.333")).toMatchObject({ status: "verified" });
  expect(await arithmetic("1/3 ≈ 0.334")).toMatchObject({ status: "refuted" });
  expect(await arithmetic("pi ≈ 3.1416")).toMatchObject({ status: "verified" });
  expect(await arithmetic("1 mi ≈ 1.61 km")).toMatchObject({ status: "verified" });
  expect(await arithmetic("[1, 2] + [3, 4] within [4, 6]")).toMatchObject({ status: "verified" });
  expect(await arithmetic("pi within [3.15, 4]")).toMatchObject({ status: "refuted" });
  expect(await arithmetic("1 < 2 <= 2 = 2")).toMatchObject({ status: "verified" });
});
