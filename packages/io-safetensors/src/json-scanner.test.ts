import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonNumber, MAX_JSON_DEPTH, parseStrictJson, plainJson } from "./index.js";

const parse = (text: string | Uint8Array): unknown =>
  plainJson(parseStrictJson(typeof text === "string" ? new TextEncoder().encode(text) : text));
const accepts = (text: string | Uint8Array): boolean => {
  try {
    parse(text);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: "FormatError" });
    return false;
  }
};
/** `plainJson` makes objects without prototype; spread, they compare. */
const normal = (value: unknown): unknown => JSON.parse(JSON.stringify(value)) as unknown;

describe("strict JSON", () => {
  it("reads what JSON.parse reads", () => {
    const property = fc.property(fc.json({ maxDepth: 5 }), fc.constantFrom(undefined, 1, "\t", "\r\n"), (text, space) => {
      const value = JSON.parse(text) as unknown;
      expect(normal(parse(JSON.stringify(value, null, space)))).toEqual(normal(value));
    });
    fc.assert(property, { numRuns: 500, seed: 1 });
  });

  it("takes nothing that JSON.parse does not take", () => {
    const characters = fc.constantFrom(
      ...'{}[]",:\\u0019.-+eEtrufalsn /\t\n\u0001\u00e9',
      "true",
      "null",
      "\ufeff",
      "\ud83d\ude00",
      '"a":',
    );
    const property = fc.property(fc.array(characters, { maxLength: 12 }), (parts) => {
      const text = parts.join("");
      if (accepts(text)) expect(() => JSON.parse(text) as unknown, text).not.toThrow();
    });
    fc.assert(property, { numRuns: 5000, seed: 2 });
  });

  it.each([
    "",
    " ",
    "{",
    "[1,]",
    "{,}",
    '{"a":1,}',
    '{"a"}',
    "01",
    "1.",
    ".5",
    "+1",
    "1e",
    "-",
    "0x1",
    "NaN",
    "Infinity",
    "tru",
    "nulll",
    "'a'",
    '"\\x"',
    '"\t"',
    '"',
    '"\\u12"',
    "1 2",
    "\ufeff1",
    "[1]]",
    "//\n1",
  ])("refuses %j", (text) => expect(accepts(text)).toBe(false));

  it.each<[string, number[]]>([
    ["an overlong form", [0x22, 0xc0, 0x80, 0x22]],
    ["half a surrogate pair", [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ["a cut character", [0x22, 0xe2, 0x82, 0x22]],
    ["a character cut at the end", [0x31, 0xf0, 0x9f]],
  ])("refuses UTF-8 with %s", (_, bytes) => expect(accepts(Uint8Array.from(bytes))).toBe(false));

  it("checks UTF-8 across the pieces that it is checked in", () => {
    for (let at = 65_530; at < 65_540; at++) {
      const text = `"${"a".repeat(at)}😀"`;
      expect(parse(text)).toBe(JSON.parse(text));
      const bytes = new TextEncoder().encode(text);
      bytes[bytes.byteLength - 2] = 0x41;
      expect(accepts(bytes)).toBe(false);
    }
  });

  it("refuses a surrogate that stands alone, and takes a pair, however it is spelled", () => {
    expect(accepts('"\\ud83d"')).toBe(false);
    expect(accepts('"\\ude00\\ud83d"')).toBe(false);
    expect(parse('"\\ud83d\\ude00 😀"')).toBe("😀 😀");
  });

  it("keeps numbers as they are spelled, objects as Maps in the order of the file", () => {
    const value = parseStrictJson(new TextEncoder().encode('{"10":9007199254740993,"9":2.0,"__proto__":-0,"a":1E+2}')) as Map<
      string,
      JsonNumber
    >;
    expect([...value].map(([key, { text }]) => [key, text])).toEqual([
      ["10", "9007199254740993"],
      ["9", "2.0"],
      ["__proto__", "-0"],
      ["a", "1E+2"],
    ]);
    expect(value.get("a")!.value).toBe(100);
    const plain = plainJson(value) as object;
    expect(Object.getPrototypeOf(plain)).toBeNull();
    expect(Object.keys(plain)).toContain("__proto__");
  });

  it("refuses a key twice, after unescaping, and says at which byte", () => {
    expect(() => parse('{"é":1,"\\u00e9":2}')).toThrow(expect.objectContaining({ kind: "duplicate-key", byte: 16 }));
    expect(parse('[{"a":1},{"a":2}]')).toHaveLength(2);
  });

  it("tells short strings apart that share a slot of its memory", () => {
    const words = Array.from({ length: 4000 }, (_, i) => i.toString(36));
    expect(parse(JSON.stringify([...words, ...words.toReversed(), ...words.map((w) => `é${w}`)]))).toEqual([
      ...words,
      ...words.toReversed(),
      ...words.map((w) => `é${w}`),
    ]);
  });

  it(`nests ${MAX_JSON_DEPTH} deep and no deeper`, () => {
    const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);
    expect(accepts(nested(MAX_JSON_DEPTH))).toBe(true);
    expect(accepts(nested(MAX_JSON_DEPTH + 1))).toBe(false);
  });

  it("has a limit, and names what it reads", () => {
    const bytes = new TextEncoder().encode("[1, 2, x]");
    expect(() => parseStrictJson(bytes, { maxBytes: 8, file: "a.json" })).toThrow(
      expect.objectContaining({ kind: "limit", file: "a.json" }),
    );
    expect(() => parseStrictJson(bytes, { file: "a.json" })).toThrow(
      expect.objectContaining({ kind: "config-json", file: "a.json", byte: 7, message: 'a.json: expected a value, got "x" (byte 7)' }),
    );
    expect(() => parseStrictJson(bytes)).toThrow(expect.objectContaining({ file: undefined }));
  });
});
