import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { torchKaimingUniform, torchNormal, torchRandperm, torchUniform } from "./distributions.js";
import { torchGenerator } from "./mt19937.js";

interface Case {
  op: string;
  seed: string;
  args: number[];
  values: number[];
}
const fixture = JSON.parse(readFileSync(new URL("./fixtures/random.json", import.meta.url), "utf8")) as { cases: Case[] };

const bits = (values: Float32Array): number[] => [...new Int32Array(values.buffer)];
const floats = (values: readonly number[]): Float32Array => new Float32Array(Int32Array.from(values).buffer);
const casesOf = (op: string): Case[] => fixture.cases.filter((c) => c.op === op);
const named = (op: string): [string, Case][] => casesOf(op).map((c) => [`${c.args.join(", ")}; seed ${c.seed}`, c]);

describe("draws equal those of torch's CPU generator", () => {
  test.each(named("uniform"))("uniform_(%s)", (_, { seed, args, values }) => {
    const drawn = torchUniform(torchGenerator(BigInt(seed)), args[0]!, args[1]!, args[2]!);
    expect(bits(drawn).slice(-values.length)).toEqual(values);
  });

  test.each(named("kaiming"))("kaiming_uniform_(%s)", (_, { seed, args, values }) => {
    expect(bits(torchKaimingUniform(torchGenerator(BigInt(seed)), args)).slice(-values.length)).toEqual(values);
  });

  test.each(named("randperm"))("randperm(%s)", (_, { seed, args, values }) => {
    expect([...torchRandperm(torchGenerator(BigInt(seed)), args[0]!)]).toEqual(values);
  });

  test("randperm takes as many draws as torch's", () => {
    const { seed, args, values } = casesOf("after randperm")[0]!;
    const generator = torchGenerator(BigInt(seed));
    torchRandperm(generator, args[0]!);
    expect(bits(torchUniform(generator, 4))).toEqual(values);
  });

  test.each(named("normal"))("normal_(%s) to 2⁻²⁰, and the spare value after it", (_, { seed, args, values }) => {
    const generator = torchGenerator(BigInt(seed));
    const [count, mean, std] = args as [number, number, number];
    const drawn = [...torchNormal(generator, count, mean, std), ...torchNormal(generator, 3, mean, std)];
    const expected = floats(values);
    expect(drawn.length).toBe(expected.length);
    drawn.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(2 ** -20));
  });

  test("the 10000th number of seed 5489 is the one of the C++ standard", () => {
    const generator = torchGenerator(5489);
    for (let i = 1; i < 10000; i++) generator.nextUint32();
    expect(generator.nextUint32()).toBe(4123659995);
  });
});
