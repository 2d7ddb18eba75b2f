import { describe, expect, it } from "vitest";
import { chooseTiles } from "./tune.js";
import { DEFAULT_TUNING, parseTuning, type TileSize } from "./tuning.js";

const limits = { maxInvocations: 256, maxWorkgroupBytes: 16384 };

describe("parseTuning", () => {
  it("takes what it wrote itself", () => {
    expect(parseTuning(JSON.parse(JSON.stringify(DEFAULT_TUNING)), limits)).toEqual(DEFAULT_TUNING);
  });
  const tiles = (tile: object): object => ({ ...DEFAULT_TUNING, gemm: { tiles: [tile], enoughGroups: 1 } });
  it.each([
    ["nothing", null, "gemm.tiles"],
    ["a list", [], "gemm.tiles"],
    ["no tiles", { ...DEFAULT_TUNING, gemm: { tiles: [], enoughGroups: 1 } }, "gemm.tiles"],
    ["a tile of no power of two", tiles({ threads: 12, blocks: 1, depth: 8 }), "a tile of gemm"],
    ["a tile of text", tiles({ threads: "16", blocks: 1, depth: 8 }), "a tile of gemm"],
    ["a tile beyond workgroup memory", tiles({ threads: 16, blocks: 4, depth: 16 }), "a tile of gemm"],
    ["no threshold", { ...DEFAULT_TUNING, gemm: { tiles: DEFAULT_TUNING.gemm.tiles } }, "gemm.enoughGroups"],
    ["more threads than there are", { ...DEFAULT_TUNING, gemv: { threads: 512 } }, "gemv.threads"],
    ["half a tuning", { gemm: DEFAULT_TUNING.gemm, gemv: DEFAULT_TUNING.gemv }, "rows.threads"],
  ])("refuses %s", (_, value, field) => {
    expect(() => parseTuning(value, limits)).toThrow(field);
  });
});

describe("chooseTiles", () => {
  const [large, small, slow]: TileSize[] = [
    { threads: 16, blocks: 2, depth: 8 },
    { threads: 8, blocks: 1, depth: 16 },
    { threads: 8, blocks: 1, depth: 8 },
  ];
  const products = [
    [256, 256, 256],
    [2048, 2048, 2048],
  ] as const;
  it("takes large tiles for large products and small ones for small products, and of equal edges the faster", () => {
    const times = new Map([
      [large!, [4, 50]],
      [small!, [1, 100]],
      [slow!, [2, 200]],
    ]);
    const { tiles, enoughGroups } = chooseTiles(times, products);
    expect(tiles).toEqual([large, small]);
    // 256² leaves 4 workgroups of 128², 2048² leaves 256.
    expect(enoughGroups).toBeGreaterThan(4);
    expect(enoughGroups).toBeLessThanOrEqual(256);
  });
  it("leaves out tiles that are never the fastest", () => {
    const times = new Map([
      [large!, [4, 120]],
      [small!, [1, 100]],
    ]);
    expect(chooseTiles(times, products).tiles).toEqual([small]);
  });
});
