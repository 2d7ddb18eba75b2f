import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runExample } from "../../../scripts/run-example.mjs";
import { MAX_HEADER_BYTES, MAX_TENSORS } from "./index.js";

const entry = (begin: number, end: number): string => `{"dtype":"U8","shape":[${end - begin}],"data_offsets":[${begin},${end}]}`;
const LONG_NAME = "model.layers.0.mlp.experts.0.down_proj.";
/** A header that fills the whole 100 MB with `repeat`, numbered. */
function fill(before: string, repeat: (i: number) => string, after: string): string {
  const parts = [before];
  for (let size = before.length + after.length, i = 0; ; i++) {
    const part = repeat(i);
    size += part.length;
    if (size > MAX_HEADER_BYTES) break;
    parts.push(part);
  }
  return parts.join("") + after;
}
const many = (count: number, part: (i: number) => string): string => Array.from({ length: count }, (_, i) => part(i)).join(",");

/** What a hostile file claims or holds, and how it ends; `data` bytes follow the header. */
interface Bomb {
  readonly what: string;
  readonly header: () => string;
  /** Written into the length field instead of the length. */
  readonly claim?: bigint;
  readonly data?: number;
  readonly outcome: string;
}
const BOMBS: readonly Bomb[] = [
  { what: "a claim of 100 MB", header: () => "{}", claim: 100_000_000n, outcome: "header-truncated" },
  { what: "a claim of 2^64-1 bytes", header: () => "{}", claim: 2n ** 64n - 1n, outcome: "header-too-large" },
  { what: "50 million brackets", header: () => "[".repeat(5e7) + "]".repeat(5e7), outcome: "header-json" },
  { what: "deep objects in a field that nobody reads", header: () => `{"a":{"x":${'{"a":'.repeat(1e7)}`, outcome: "header-json" },
  { what: "a name of 100 MB", header: () => `{"${"a".repeat(99_999_900)}":${entry(0, 0)}}`, outcome: "1 tensors" },
  { what: "a number of 100 million digits", header: () => `{"a":{"shape":[${"9".repeat(99_999_900)}]}}`, outcome: "header-schema" },
  { what: "100 MB of spaces", header: () => " ".repeat(1e8), outcome: "header-json" },
  {
    what: "a name that occurs twice, far apart",
    header: () => `{${many(200_000, (i) => `"${LONG_NAME}${i}":${entry(0, 0)}`)},"${LONG_NAME}0":${entry(0, 0)}}`,
    outcome: "duplicate-key",
  },
  {
    what: "200,000 fields in an entry, the last twice",
    header: () => `{"a":{${many(200_000, (i) => `"x${i}":0`)},"x199999":0}}`,
    outcome: "duplicate-key",
  },
  { what: "a million tensors with short names", header: () => `{${many(1e6, (i) => `"t${i}":${entry(0, 0)}`)}}`, outcome: "limit" },
  {
    what: "100 MB of tensors with long names",
    header: () => fill("{", (i) => `"${LONG_NAME}${i}":${entry(i, i + 1)},`, `"":${entry(0, 0)}}`),
    outcome: "limit",
  },
  { what: "a million entries of metadata", header: () => `{"__metadata__":{${many(1e6, (i) => `"k${i}":"v"`)}}}`, outcome: "limit" },
  {
    what: "a shape of 20 million dimensions",
    header: () => `{"a":{"dtype":"U8","shape":[${"1,".repeat(2e7)}1],"data_offsets":[0,1]}}`,
    data: 1,
    outcome: "limit",
  },
  {
    what: "as many tensors as are allowed, backwards",
    header: () => `{${many(MAX_TENSORS, (i) => `"${LONG_NAME}${i}":${entry(MAX_TENSORS - 1 - i, MAX_TENSORS - i)}`)}}`,
    data: MAX_TENSORS,
    outcome: `${MAX_TENSORS} tensors`,
  },
];

/** Opens each file in a process of its own, as memory once taken is not given back; prints how it ended and the most memory. One that runs on is killed. */
const OPEN = `
import { openWeights } from "@weft/io-safetensors/node";
let outcome;
try {
  const source = await openWeights(process.argv[2]);
  outcome = [...source.names()].length + " tensors";
} catch (error) {
  outcome = error.kind ?? String(error);
  if (error.message.length > 2000) outcome += ", and a message of " + error.message.length;
}
console.log(JSON.stringify({ outcome, rss: process.resourceUsage().maxRSS * 1024 }));
`;

describe("a header that is a bomb", () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), "weft-bombs-"))));
  afterAll(() => rmSync(folder, { recursive: true }));

  it.each(BOMBS)("$what → $outcome, within 256 MiB", async ({ header, claim, data = 0, outcome }) => {
    const file = join(folder, "bomb.safetensors");
    const json = Buffer.from(header());
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(claim ?? BigInt(json.byteLength));
    writeFileSync(file, Buffer.concat([length, json, Buffer.alloc(data)]));
    const { stdout, stderr } = await runExample(OPEN, [file]);
    expect(stderr).toBe("");
    const result = JSON.parse(stdout) as { outcome: string; rss: number };
    expect(result.outcome).toBe(outcome);
    expect(result.rss).toBeLessThan(256 << 20);
  });
});
