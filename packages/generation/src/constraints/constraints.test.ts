import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { Tokenizer, tokenizerFromRwkv } from "@weft/tokenizers";
import { describe, expect, it } from "vitest";
import { type Constraint, type ConstraintState, hasBit, jsonSchema, type JsonSchema, regex } from "../index.js";

const root = join(import.meta.dirname, "../../../../fixtures/models/tokenizers");
const read = (...path: string[]): Uint8Array => readFileSync(join(root, ...path));
const byteLevel = Tokenizer.fromJson(read("bpe_byte_level", "tokenizer.json"));
const TOKENIZERS: readonly (readonly [name: string, tokenizer: Tokenizer, end: number])[] = [
  ["byte-level BPE", byteLevel, byteLevel.tokenToId("<|endoftext|>")!],
  ["BPE with byte fallback", Tokenizer.fromJson(read("bpe_byte_fallback", "tokenizer.json")), 2],
  ["RWKV World", tokenizerFromRwkv(read("rwkv_world", "vocab.txt")), 0],
];

const ajv = new Ajv2020({ strict: false });
(formats as unknown as (one: Ajv2020) => void)(ajv);

/** Numbers in [0, n), the same in every run. */
function generator(seed: number): (n: number) => number {
  let state = seed;
  return (n) => (state = (state * 48271) % 2147483647) % n;
}

/** Tokens of a vocabulary by id, and those that end something. */
const vocabularyOf = (tokenizer: Tokenizer, end: number): { readonly ids: readonly number[]; readonly closing: ReadonlySet<number> } => {
  const ids = [...new Set([...tokenizer.vocabulary.values(), end])];
  return { ids, closing: new Set(ids.filter((id) => /^["\]}]+$/.test(new TextDecoder().decode(tokenizer.tokenBytes(id))))) };
};

/** Bytes of tokens that are chosen by chance among those allowed, until the text ends. After a while those that end something are preferred. */
function walk(constraint: Constraint, tokenizer: Tokenizer, end: number, random: (n: number) => number): string {
  const bytes: number[] = [];
  const { ids, closing } = vocabularyOf(tokenizer, end);
  let state: ConstraintState = constraint.start();
  for (let step = 0; !state.done; step++) {
    if (step > 1500) throw new Error("the text does not end");
    const bits = state.allowed();
    const allowed = ids.filter((id) => hasBit(bits, id));
    if (allowed.includes(end) !== state.accepting) throw new Error("an end token where the text may not end, or none where it may");
    const ending = allowed.filter((id) => id === end || closing.has(id));
    const among = ending.length > 0 && (step > 30 || random(4) === 0) ? ending : allowed;
    const id = among[random(among.length)]!;
    if (id === end) break;
    bytes.push(...tokenizer.tokenBytes(id)!);
    state = state.advance(id);
  }
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
}

/** Whether a text is allowed, token by token and at its end. */
function accepts(constraint: Constraint, tokenizer: Tokenizer, text: string): boolean {
  let state = constraint.start();
  for (const id of tokenizer.encode(text, { addSpecialTokens: false }).ids) {
    if (!hasBit(state.allowed(), id)) return false;
    state = state.advance(id);
  }
  return state.accepting;
}

const PERSON: JsonSchema = {
  title: "a person",
  type: "object",
  properties: {
    name: { type: "string", minLength: 1 },
    age: { type: "integer", minimum: 0, maximum: 150 },
    mail: { type: "string", format: "email" },
  },
  required: ["name"],
};
const TREE: JsonSchema = {
  $ref: "#/$defs/node",
  $defs: {
    node: {
      type: "object",
      properties: { value: { type: "number" }, children: { type: "array", items: { $ref: "#/$defs/node" }, maxItems: 3 } },
      required: ["value", "children"],
      additionalProperties: false,
    },
  },
};
const SHAPE: JsonSchema = {
  oneOf: [
    { type: "object", properties: { kind: { const: "circle" }, r: { type: "number" } }, required: ["kind", "r"] },
    {
      type: "object",
      properties: { kind: { enum: ["square", "box"] }, side: { type: "integer", exclusiveMinimum: -13, exclusiveMaximum: 1205 } },
      required: ["kind", "side"],
    },
    { type: "null" },
  ],
};

const SCHEMAS: readonly (readonly [name: string, schema: JsonSchema, valid: readonly unknown[], invalid: readonly unknown[]])[] = [
  [
    "a person",
    PERSON,
    [{ name: "Zoë 🙂" }, { name: 'a"\\\n', age: 150 }, { name: "x", mail: "a.b@c.example" }],
    [{}, { name: "" }, { name: "x", age: 151 }, { name: "x", age: 1.5 }, { name: "x", mail: "x" }],
  ],
  [
    "a recursive tree",
    TREE,
    [
      {
        value: -1.5e3,
        children: [
          { value: 0, children: [] },
          { value: 1, children: [{ value: 2, children: [] }] },
        ],
      },
    ],
    [{ value: 1 }, { value: 1, children: [1] }],
  ],
  [
    "one of several shapes",
    SHAPE,
    [{ kind: "circle", r: 0.25 }, { kind: "box", side: -12 }, { kind: "square", side: 1204 }, null],
    [
      { kind: "box", r: 1 },
      { kind: "box", side: -13 },
      { kind: "box", side: 1205 },
    ],
  ],
  ["any JSON", true, [{ a: [1, "two", { b: null }], "": true }, [], "x", -0.5], []],
  ["any object", { type: "object" }, [{}, { a: { b: [] } }], [[], 1]],
  [
    "types and enumerations",
    { type: "array", items: { anyOf: [{ type: ["string", "null"] }, { enum: [1, { a: [true] }, "x"] }] }, minItems: 1 },
    [["y", null, 1, { a: [true] }]],
    [[], [2], [{ a: [false] }]],
  ],
  [
    "tuples",
    { prefixItems: [{ type: "integer" }, { type: "boolean" }], items: { type: "string" }, minItems: 1, maxItems: 4 },
    [[1], [1, true], [1, true, "a", "b"]],
    [[], [true], [1, true, 2], [1, true, "a", "b", "c"]],
  ],
  [
    "other members",
    { type: "object", properties: { a: { type: "integer" }, ab: { type: "null" } }, additionalProperties: { type: "boolean" } },
    [{}, { a: 1 }, { ab: null }, { a: 1, b: true, abc: false, "": true }],
    [{ a: true }, { ab: true }, { b: 1 }],
  ],
  [
    "patterns",
    { type: "array", items: { type: "string", pattern: '^[A-Z]{2}-\\d+$|^"q"|^é+\\p{Lu}' } },
    [["AB-12", '"q"b', "ééÉ and more"]],
    [["AB-"], ["xAB-1"], ["q"], ["é"]],
  ],
  ["lengths", { type: "string", minLength: 2, maxLength: 3 }, ["ab", "🙂🙂🙂", '"\\'], ["a", "abcd", "🙂"]],
  [
    "dates and ids",
    {
      type: "object",
      properties: {
        d: { type: "string", format: "date" },
        t: { type: "string", format: "date-time" },
        u: { type: "string", format: "uuid" },
      },
      required: ["d", "t", "u"],
    },
    [{ d: "2024-12-31", t: "1999-02-28T23:59:59.5+01:00", u: "123e4567-e89b-12d3-a456-426614174000" }],
    [{ d: "2024-02-30", t: "1999-02-28T23:59:59Z", u: "123e4567-e89b-12d3-a456-426614174000" }],
  ],
  [
    "a list of lists",
    {
      $ref: "#/definitions/l",
      definitions: { l: { anyOf: [{ type: "array", items: { $ref: "#/definitions/l" } }, { type: "boolean" }] } },
    },
    [[[], [true, [[false]]]], true],
    [[1], null],
  ],
];

describe.each(TOKENIZERS)("JSON by tokens of %s", (_, tokenizer, end) => {
  it.each(SCHEMAS)("%s: everything that can be drawn satisfies the schema", (name, schema) => {
    const constraint = jsonSchema(schema, tokenizer, { eosTokenId: end });
    const random = generator(name.length);
    const validate = ajv.compile(schema);
    for (let i = 0; i < 12; i++) {
      const text = walk(constraint, tokenizer, end, random);
      expect(validate(JSON.parse(text)), text).toBe(true);
    }
  });
});

describe("JSON", () => {
  it.each(SCHEMAS)("%s: values that satisfy the schema are allowed, others are not", (_, schema, valid, invalid) => {
    const validate = ajv.compile(schema);
    for (const [, tokenizer] of [TOKENIZERS[0]!, TOKENIZERS[2]!]) {
      const constraint = jsonSchema(schema, tokenizer);
      for (const value of valid) {
        expect(validate(value), JSON.stringify(value)).toBe(true);
        expect(accepts(constraint, tokenizer, JSON.stringify(value)), JSON.stringify(value)).toBe(true);
        const spaced = JSON.stringify(value, null, 1).replaceAll(/\n */g, (_, at: number, all: string) => (all[at - 1] === "," ? " " : ""));
        expect(accepts(constraint, tokenizer, spaced), spaced).toBe(true);
      }
      for (const value of invalid) {
        expect(validate(value), JSON.stringify(value)).toBe(false);
        expect(accepts(constraint, tokenizer, JSON.stringify(value)), JSON.stringify(value)).toBe(false);
      }
    }
  });

  it("allows integers in their range alone", () => {
    for (const [minimum, maximum] of [
      [-7, 12],
      [0, 0],
      [95, 1203],
      [-120, -3],
      [9, 10],
    ] as const) {
      const constraint = jsonSchema({ type: "integer", minimum, maximum }, byteLevel);
      for (let n = -130; n < 1300; n++)
        expect(accepts(constraint, byteLevel, String(n)), `${n} of ${minimum} to ${maximum}`).toBe(n >= minimum && n <= maximum);
      expect(accepts(constraint, byteLevel, "007")).toBe(false);
    }
  });

  it("allows the days that there are, but for 29 February", () => {
    const schema = { type: "string", format: "date" };
    const [constraint, validate] = [jsonSchema(schema, byteLevel), ajv.compile(schema)];
    for (let month = 0; month < 14; month++)
      for (let day = 0; day < 33; day++) {
        const date = `2024-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
        expect(accepts(constraint, byteLevel, JSON.stringify(date)), date).toBe(validate(date) && date !== "2024-02-29");
      }
  });

  it("allows exactly the tokens whose bytes go on, those that reach over several parts too", () => {
    const vocab: Record<string, number> = { "<e>": 0 };
    for (let byte = 32; byte < 127; byte++) if (byte !== 34 && byte !== 92) vocab[String.fromCharCode(byte)] = byte;
    for (const token of ['"', "\\", '"},', '"}]', '":"', '{"', '"},{"', '":"x"},{"', 'a"}', '"}', "],"])
      vocab[token] = 200 + Object.keys(vocab).length;
    const tokenizer = Tokenizer.fromJson(
      JSON.stringify({
        added_tokens: [{ id: 0, content: "<e>", single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
        decoder: { type: "Fuse" },
        model: { type: "BPE", vocab, merges: [] },
      }),
    );
    const constraint = jsonSchema(
      { type: "array", items: { type: "object", properties: { k: { type: "string" } }, required: ["k"] } },
      tokenizer,
      { eosTokenId: 0 },
    );
    const ids = [...new Set(tokenizer.vocabulary.values())];
    const next = (path: readonly string[]): string[] => {
      const state = path.reduce((at, token) => at.advance(tokenizer.tokenToId(token)!), constraint.start());
      const allowed = ids.filter((id) => hasBit(state.allowed(), id));
      const advances = ids.filter((id) => {
        try {
          state.advance(id);
          return true;
        } catch {
          return false;
        }
      });
      expect(advances).toEqual(allowed);
      return allowed.map((id) => tokenizer.idToToken(id)!);
    };
    expect(next(["["]).toSorted()).toEqual(["]", "{", '{"']);
    expect(next(["[", '{"', "k"])).toEqual(['"', '":"', '":"x"},{"']);
    const within = next(["[", '{"', "k", '":"', "z"]);
    // The last one would begin a second object whose first member is not `k`: only its bytes so far count, and those are fine.
    for (const token of ['"', '"},', '"}]', '"}', 'a"}', '"},{"', "\\"]) expect(within, token).toContain(token);
    for (const token of ['":"', '":"x"},{"', "<e>"]) expect(within, token).not.toContain(token);
    expect(next(["[", '{"', "k", '":"', '"}]'])).toEqual(["<e>"]);
  });

  it.each([
    ["not", { type: "object", properties: { "a/b": { not: {} } } }, "/properties/a~1b/not: the keyword not is not supported"],
    ["patternProperties", { patternProperties: {} }, "/patternProperties: the keyword patternProperties"],
    ["uniqueItems", { type: "array", uniqueItems: true }, "/uniqueItems"],
    ["multipleOf", { type: "integer", multipleOf: 2 }, "/multipleOf"],
    ["minimum", { type: "number", minimum: 1 }, "/minimum: the keyword minimum is supported for integers only"],
    ["format", { type: "string", format: "ipv4" }, '/format: the format "ipv4" is not supported; supported are date'],
    ["siblings", { anyOf: [true], properties: {} }, "/properties: the keyword properties beside anyOf"],
    ["overlap", { oneOf: [{ type: "integer" }, { type: "number" }] }, "/oneOf/1: oneOf is supported where no value satisfies two"],
    ["a place that there is not", { $ref: "#/$defs/x" }, "there is no #/$defs/x"],
    ["another file", { $ref: "x.json" }, "is not a place in this schema"],
    ["itself", { $ref: "#" }, "defined by nothing but itself"],
    ["a type", { type: "text" }, '/type: "text" is no type'],
    ["nothing", { enum: [1], type: "string" }, "no text satisfies"],
    ["no end", { type: "object", properties: { a: { $ref: "#" } }, required: ["a"] }, "no text satisfies"],
    ["lookaround", { type: "string", pattern: "(?=a)" }, "schema /pattern: looking around is not supported"],
    ["no pattern", { type: "string", pattern: "(" }, "schema /pattern: Invalid regular expression"],
    ["length", { type: "string", maxLength: 1e9 }, "more than 200000 nodes"],
    ["repeats", { type: "string", pattern: "((a{1000}){1000}){1000}" }, "more than 200000 nodes"],
    ["a reference that is none", { $ref: "#/%ff" }, "is not percent-encoded UTF-8"],
    ["properties that are none", { properties: 3 }, "/properties: expected an object of schemas"],
    ["choices that are none", { oneOf: [{ anyOf: 5 }, { type: "null" }] }, "/oneOf/0/anyOf: expected a list"],
    ["a deep constant", { const: JSON.parse(`${"[".repeat(5000)}${"]".repeat(5000)}`) as unknown }, "nested more than 100 deep"],
    [
      "comparisons without end",
      { oneOf: [{ $ref: "#/$defs/a" }, { $ref: "#/$defs/a" }], $defs: { a: { anyOf: new Array<object>(50).fill({ $ref: "#/$defs/a" }) } } },
      "which is not certain here",
    ],
    ["depth", JSON.parse(`${'{"items":'.repeat(200)}true${"}".repeat(200)}`) as JsonSchema, "nested more than 100 deep"],
  ])("refuses %s", (_, schema, message) => {
    expect(() => jsonSchema(schema as JsonSchema, byteLevel)).toThrow(message);
  });
});

const PATTERNS = [
  "a|b|",
  "(?:ab?){2,3}",
  "[^a-y]\\d{2}",
  "[\\w.-]+@\\w+\\.(?:com|org)",
  "\\p{Lu}\\p{Ll}*",
  "é[😀-😃]+",
  "x{0,3}y*z?",
  "\\u{1F600}\\x41\\ud83d\\ude01",
  "^anchored$|^or$",
  ".\\s?[\\]\\-]",
  "(?<year>\\d{4})-(0[1-9]|1[0-2])",
];

describe("regular expressions", () => {
  it.each(PATTERNS)("%s: what can be drawn matches", (pattern) => {
    for (const [, tokenizer, end] of TOKENIZERS) {
      const constraint = regex(pattern, tokenizer, { eosTokenId: end });
      const random = generator(pattern.length);
      for (let i = 0; i < 12; i++) {
        const text = walk(constraint, tokenizer, end, (n) => random(n));
        expect(new RegExp(`^(?:${pattern})$`, "u").test(text), text).toBe(true);
      }
    }
  });

  it("allow what RegExp matches, and nothing else", () => {
    const random = generator(5);
    const alphabet = [..."abxyz019.-@é😀A]Ü \n"];
    for (const pattern of PATTERNS) {
      const constraint = regex(pattern, byteLevel);
      const whole = new RegExp(`^(?:${pattern})$`, "u");
      for (let i = 0; i < 300; i++) {
        const text = Array.from({ length: random(5) }, () => alphabet[random(alphabet.length)]!).join("");
        expect(accepts(constraint, byteLevel, text), `${pattern} ${JSON.stringify(text)}`).toBe(whole.test(text));
      }
    }
  });

  it("are refused where a text may be at too many places at once", () => {
    expect(() => regex("(?:.?){3000}", byteLevel)).toThrow("at more than 2000 places of the automaton at once");
    expect(accepts(jsonSchema({ type: "string", pattern: "^.{1,2000}$" }, byteLevel), byteLevel, '"\\n"')).toBe(false);
    expect(accepts(jsonSchema({ type: "string", pattern: "^[^x]{1,2000}$" }, byteLevel), byteLevel, '"\\n\\u0001\\u001f"')).toBe(true);
  });

  it("end where nothing can follow, and say where a token is not allowed", () => {
    const end = byteLevel.tokenToId("<|endoftext|>")!;
    const state = regex("ab", byteLevel, { eosTokenId: end }).start();
    const [a, b] = [byteLevel.tokenToId("a")!, byteLevel.tokenToId("b")!];
    expect([state.accepting, state.done]).toEqual([false, false]);
    const through = state.advance(a).advance(b);
    expect([through.accepting, through.done, hasBit(through.allowed(), end)]).toEqual([true, true, true]);
    expect(through.advance(end).done).toBe(true);
    expect(() => state.advance(end)).toThrow(`token ${end} is not among those`);
    expect(() => state.advance(b)).toThrow("not among those");
    expect(() => regex("a", byteLevel, { eosTokenId: 1e6 })).toThrow("eosTokenId is 1000000");
    const wordPiece = Tokenizer.fromJson(read("wordpiece", "tokenizer.json"));
    expect(() => regex("a", wordPiece)).toThrow(/not bytes of a text by themselves: its decoder is WordPiece/);
  });
});
