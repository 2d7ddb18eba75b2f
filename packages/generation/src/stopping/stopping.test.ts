import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "@weft/tokenizers";
import { describe, expect, it } from "vitest";
import { StopStrings, TextStream } from "../index.js";

const tokenizerOf = (name: string): Tokenizer =>
  Tokenizer.fromJson(readFileSync(join(import.meta.dirname, "../../../../fixtures/models/tokenizers", name, "tokenizer.json")));
const byteLevel = tokenizerOf("bpe_byte_level");

describe("StopStrings", () => {
  it("gives out all that cannot become a stop string, and no more, as looking through the whole text does", () => {
    let state = 1;
    const random = (n: number): number => (state = (state * 48271) % 2147483647) % n;
    const word = (most: number): string => Array.from({ length: 1 + random(most) }, () => "ab"[random(2)]).join("");
    for (let trial = 0; trial < 2000; trial++) {
      const stops = Array.from({ length: 1 + random(3) }, () => word(5));
      const stream = new StopStrings(stops);
      let [all, given] = ["", ""];
      for (let i = 0; i < 6; i++) {
        const piece = random(4) === 0 ? "" : word(4);
        all += piece;
        const { text, stop } = stream.push(piece);
        given += text;
        const ends = stops.flatMap((one) => (all.includes(one) ? [{ one, end: all.indexOf(one) + one.length }] : []));
        const first = ends.toSorted((a, b) => a.end - b.end || b.one.length - a.one.length)[0];
        expect(stop, JSON.stringify({ stops, all })).toBe(first?.one);
        if (first) {
          expect(given).toBe(all.slice(0, first.end - first.one.length));
          break;
        }
        let held = 0;
        for (let n = 1; n <= Math.min(all.length, 5); n++)
          if (stops.some((one) => one.length > n && one.startsWith(all.slice(-n)))) held = n;
        expect(given, JSON.stringify({ stops, all })).toBe(all.slice(0, all.length - held));
        if (i === 5) expect(given + stream.end()).toBe(all);
      }
    }
  });

  it("refuses strings that cannot stop anything", () => {
    expect(() => new StopStrings([""])).toThrow(/a stop string is "", expected text of 1 to 1000/);
    expect(() => new StopStrings(new Array<string>(65).fill("a"))).toThrow(/number of stop strings is 65/);
  });
});

describe("TextStream", () => {
  const run = (text: string, options: ConstructorParameters<typeof TextStream>[1]) => {
    const stream = new TextStream(byteLevel, options);
    let out = "";
    for (const token of byteLevel.encode(text).ids) {
      const piece = stream.push(token);
      out += piece.text;
      if (piece.finishReason) return { ...piece, text: out };
    }
    return { text: out + stream.end() };
  };

  it.each(["naïve 🙂 text", "é🙂x", "a b c"])("%s comes out whole, also where characters are divided", (text) => {
    expect(byteLevel.encode(text).ids.length).toBeGreaterThan(2);
    expect(run(text, { stop: "🙃" }).text).toBe(text);
    expect(run(text, { stop: [`${text}!`] }).text).toBe(text);
  });

  it("ends at stop strings, however tokens divide them", () => {
    expect(run("one 🙂é two", { stop: ["🙂é", "two"] })).toEqual({ text: "one ", finishReason: "stop", stoppedBy: "🙂é" });
    expect(run("Observation: x", { stop: "ation" })).toEqual({ text: "Observ", finishReason: "stop", stoppedBy: "ation" });
  });

  it("ends at end tokens without their text, and gives out what was held back", () => {
    const end = byteLevel.tokenToId("foo_bar")!;
    expect(run("a st", { stop: "stop", eosTokenId: end })).toEqual({ text: "a st" });
    expect(run("a stfoo_bar", { stop: "stop", eosTokenId: [end] })).toEqual({ text: "a st", finishReason: "stop", stoppedBy: end });
  });

  it("ends after so many tokens, with bytes that are no character", () => {
    const ids = byteLevel.encode("🙂").ids;
    expect(ids.length).toBeGreaterThan(1);
    const stream = new TextStream(byteLevel, { maxNewTokens: 1 });
    expect(stream.push(ids[0]!)).toEqual({ text: "\ufffd", finishReason: "length" });
    expect(() => new TextStream(byteLevel, { maxNewTokens: 0 })).toThrow(/maxNewTokens is 0/);
  });
});
