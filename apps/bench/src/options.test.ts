import { expect, test } from "vitest";
import { parseOptions } from "./options.js";
import { run } from "./run.js";

test("suites and options", () => {
  expect(parseOptions(["matmul", "lora", "--json", "x.json", "--rounds", "7", "--no-peers"], "bench")).toMatchObject({
    suites: ["matmul", "lora"],
    json: "x.json",
    report: undefined,
    rounds: 7,
    peers: false,
    quick: false,
    tune: false,
  });
  expect(parseOptions(["merge", "--report"], "bench").report).toBe("bench/report.md");
  expect(parseOptions(["--report", "--quick", "merge"], "bench")).toMatchObject({
    report: "bench/report.md",
    quick: true,
    rounds: 2,
    suites: ["merge"],
  });
  expect([parseOptions(["core"], "bench").only, parseOptions(["core", "--case", "calls"], "bench").only]).toEqual(["", "calls"]);
  expect(parseOptions(["merge", "--report", "mine.md"], "bench").report).toBe("mine.md");
});

test.each([[["--rounds", "0"]], [["--rounds", "x"]], [["--fast"]], [["--tolerance", "1"]], [["core", "--report", "--case", "calls"]]])(
  "refuses %j",
  (args) => {
    expect(() => parseOptions(args, "bench")).toThrow(TypeError);
  },
);

test.each([[[]], [["no-such-suite"]], [["matmul", "--fast"]]])("wrong usage ends with exit code 2 and runs nothing: %j", async (args) => {
  expect(await run(args)).toBe(2);
});
