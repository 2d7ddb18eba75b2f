import { describe, expect, test } from "vitest";
import { baseVersions, thisMachine } from "./machine.js";
import { type BenchRecord, checkRecord } from "./record.js";
import { markdownReport, recordLine } from "./report.js";

const record: BenchRecord = {
  suite: "matmul",
  case: "2×2·2×2 f32, weft 1 thread",
  metric: "speed",
  value: 41.6,
  unit: "GFLOP/s",
  anchor: "torch 1 thread",
  ratio: 0.42,
  machine: { cpu: "Some CPU", cores: 2, memoryGiB: 8, system: "linux x64" },
  versions: { node: "20.0.0" },
  spread: 0.1,
  rounds: 5,
  error: 2e-7,
  goal: "ratio ≥ 0.42",
  met: true,
};

describe("format", () => {
  test("a record has the fields that other tools read", () => {
    expect(checkRecord(record)).toBe(record);
    expect(Object.keys(record)).toEqual(
      expect.arrayContaining(["suite", "case", "metric", "value", "unit", "anchor", "ratio", "machine", "versions"]),
    );
    const { goal: _, met: __, ...alone } = record;
    checkRecord({ ...alone, anchor: null, ratio: null, unit: "" });
  });

  test.each<[string, Partial<BenchRecord>]>([
    ["value", { value: Number.NaN }],
    ["value", { value: Infinity }],
    ["ratio", { ratio: null }],
    ["ratio", { anchor: null }],
    ["ratio", { ratio: 0 }],
    ["suite", { suite: "" }],
    ["met", { met: undefined as never }],
    ["versions", { versions: {} }],
  ])("a wrong %s is refused: %j", (field, change) => {
    expect(() => checkRecord({ ...record, ...change })).toThrow(`: ${field} is`);
  });

  test("machine and versions are found", () => {
    expect(thisMachine().cpu).not.toBe("");
    expect(thisMachine().cores).toBeGreaterThan(0);
    expect(baseVersions(".")["node"]).toBe(process.versions.node);
  });
});

describe("report", () => {
  const second: BenchRecord = { ...record, anchor: "tfjs", ratio: 1.3, goal: "ratio ≥ 1.5", met: false };

  test("a value against several anchors is one row; machine and verdicts are named", () => {
    const text = markdownReport([record, second]);
    expect(text).toContain("Some CPU, 2 cores, 8 GiB, linux x64.");
    expect(text).toContain(
      "| 2×2·2×2 f32, weft 1 thread | speed | 41.60 GFLOP/s | 0.42 × torch 1 thread<br>1.30 × tfjs | 10 % | 2e-7 | ratio ≥ 0.42: yes<br>ratio ≥ 1.5: no |",
    );
    expect(text.match(/^\| 2×2/gm)).toHaveLength(1);
  });

  test("a line does not repeat the value", () => {
    expect(recordLine(record)).toContain("speed 41.60 GFLOP/s");
    expect(recordLine(second, record).trim()).toBe("1.30 × tfjs  [ratio ≥ 1.5: no]");
  });

  test("nothing measured", () => {
    expect(markdownReport([])).toContain("Nothing was measured");
  });
});
