import { spawnSync } from "node:child_process";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { pythonTool } from "../node/python-tool.js";
import { callTool } from "../tools/call-tool.js";
import type { ToolResult } from "../tools/tool.js";
import { builtExecutor, PROGRAM } from "../testing/executor.js";
import type { Executor } from "./executor.js";
import type { EngineName } from "./protocol.js";

/** One of all tests that need no other: engines that answered once are used again, and those that were ended replaced. */
const shared = builtExecutor();
afterAll(() => shared.dispose());
/** A test's own. */
let executor: Executor | undefined;
afterEach(async () => {
  await executor?.dispose();
  executor = undefined;
});
const run = (engine: EngineName, input: unknown, ms = 2000): Promise<ToolResult> =>
  (executor ?? shared).run(engine, input, { deadline: Date.now() + ms });

/** Nine pigeons in eight holes, which no assignment of 72 variables does. */
const PIGEONS = [
  ...Array.from({ length: 9 }, (_, p) => Array.from({ length: 8 }, (__, h) => `p${p}h${h}`).join(" | ")),
  ...Array.from({ length: 8 }, (_, h) =>
    Array.from({ length: 36 }, (__, i) => [Math.floor((1 + Math.sqrt(1 + 8 * i)) / 2), i] as const)
      .map(([p, i]) => `!(p${p}h${h} & p${i - (p * (p - 1)) / 2}h${h})`)
      .join(" & "),
  ),
];

/** What needs far more time than anything waits: a proof, a query, a loop. */
const BUSY: readonly (readonly [EngineName, unknown])[] = [
  ["calculator", `${"5000! - 5000! + ".repeat(600)}1`],
  ["claims", { type: "propositional", consistent: PIGEONS }],
  [
    "smt",
    "(declare-const x Int)(declare-const y Int)(declare-const z Int)(assert (! (and (> x 1) (> y 1) (> z 1) (= (* x x x) (+ (* y y y) (* z z z)))) :named weft-0))",
  ],
  ["prolog", { program: "loop :- loop.", query: "loop." }],
  ["prolog", { program: "grow(X) :- grow([X, X]).", query: "catch(grow(a), _, fail)." }],
  ["javascript", "while (true) {}"],
  ["javascript", "'a'.repeat(30000).match(/(a|a|aa)+$b/)"],
  ["javascript", "new Array(1e7).fill(1).sort(() => { for (;;); })"],
];

describe("a busy loop of every engine ends at the deadline, and the next call is answered", () => {
  it.each(BUSY)("%s", async (engine, input) => {
    const easy: { readonly [name in EngineName]: unknown } = {
      calculator: "1+1",
      claims: { type: "arithmetic", claim: "1+1=2" },
      smt: "(assert (! true :named weft-0))",
      prolog: { program: "a(1).", query: "a(X)." },
      javascript: "1+1",
    };
    const result = await run(engine, input, 300);
    if (engine === "smt") expect(JSON.stringify(result)).toMatch(/timeout|unknown|canceled/u);
    else expect(result).toMatchObject({ ok: false, reason: expect.stringMatching(/timeout|memory/u) });
    expect(await run(engine, easy[engine], 60_000)).toMatchObject({ ok: true });
  });
});

describe("memory is bounded", () => {
  it.each<[string, EngineName, unknown]>([
    ["an array that grows", "javascript", "const a = []; for (;;) a.push(new Array(1000).fill(7))"],
    ["objects", "javascript", "let a; for (;;) a = { a }"],
    ["a text that doubles", "javascript", "let s = 'abcdefgh'; const all = []; for (;;) { s += s; all.push(s.split('')) }"],
    ["one buffer", "javascript", "new Uint8Array(2 ** 31)"],
    ["many buffers", "javascript", "const a = []; for (;;) a.push(new Uint8Array(2 ** 20).fill(1))"],
    ["a recursion", "javascript", "function f(n) { return [f(n + 1), n] } f(0)"],
    ["a list in Prolog", "prolog", { program: "grow(L) :- grow([x, y, z | L]).", query: "grow([])." }],
    ["atoms in Prolog", "prolog", { program: "grow(A) :- atom_concat(A, A, B), atom_length(B, _), grow(B).", query: "grow(abcdefgh)." }],
    ["facts in Prolog", "prolog", { program: ":- dynamic(f/1). grow(N) :- assertz(f(N)), M is N + 1, grow(M).", query: "grow(0)." }],
    ["numbers", "calculator", `${"(2^60000) + ".repeat(600)}1`],
  ])("%s", { timeout: 60_000 }, async (_, engine, input) => {
    executor = builtExecutor({ size: 1, memoryBytes: 64 * 2 ** 20 });
    await run(engine, engine === "prolog" ? { program: "", query: "true." } : "1", 60_000);
    const before = process.memoryUsage().rss;
    let most = before;
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 5);
    await run(engine, input, 2000);
    clearInterval(watch);
    expect((most - before) / 2 ** 20).toBeLessThan(64 + 64);
    expect(await run(engine, engine === "prolog" ? { program: "", query: "X is 1 + 1." } : "1 + 1", 60_000)).toMatchObject({ ok: true });
  });
});

describe("nothing leads out of the engines", () => {
  const SECRET = "weft-secret-7c1f";
  it.each<[string, EngineName, unknown]>([
    ["process", "javascript", "typeof process"],
    ["require", "javascript", "typeof require"],
    ["fetch and XMLHttpRequest", "javascript", "typeof fetch + typeof XMLHttpRequest"],
    ["std and os of QuickJS", "javascript", "typeof std + typeof os"],
    ["an import", "javascript", "import('fs').then(() => print('escaped'), () => 0); undefined"],
    ["the constructor of print", "javascript", "print.constructor('return typeof process + typeof globalThis.process')()"],
    ["the prototype of errors", "javascript", "try { null.x } catch (e) { e.constructor.constructor('return typeof process')() }"],
    ["a getter in what is printed", "javascript", "print({ get a() { return typeof process } }, { toJSON() { return typeof process } })"],
    [
      "a changed prototype",
      "javascript",
      "Object.prototype.ok = 'escaped'; Object.prototype.reason = 'escaped'; Array.prototype.map = () => ['escaped']; undefined",
    ],
    ["the environment", "javascript", "globalThis.process?.env ?? ''"],
    ["a file in Prolog", "prolog", { program: "", query: "catch(open('/etc/hostname', read, S), E, true), get_char(S, C)." }],
    ["a program from a file in Prolog", "prolog", { program: ":- include('/etc/hostname').", query: "consult('/etc/hostname')." }],
    ["a module of Prolog's JavaScript", "prolog", { program: ":- use_module(library(js)).", query: "global(G), get_prop(process, P)." }],
    ["the system of Prolog", "prolog", { program: ":- use_module(library(os)).", query: "shell('echo escaped')." }],
    ["a file of SMT-LIB", "smt", '(set-option :diagnostic-output-channel "/tmp/weft-escaped") (include "/etc/hostname")'],
    ["a property in the calculator", "calculator", "constructor(1) + __proto__ + process"],
  ])("%s", async (_, engine, input) => {
    process.env["WEFT_SECRET"] = SECRET;
    const result = await run(engine, input, 10_000);
    delete process.env["WEFT_SECRET"];
    const told = result.ok ? result.content : result.error;
    expect(told).not.toMatch(/escaped|^function|^object|weft-secret/u);
    expect(Object.prototype).not.toHaveProperty("ok");
    // The machine's name stands in that file.
    expect(told).not.toContain(spawnSync("cat", ["/etc/hostname"], { encoding: "utf8" }).stdout.trim() || "no such name");
  });
});

it("calls wait for a worker, and workers are used again", async () => {
  executor = builtExecutor({ size: 2 });
  const results = await Promise.all(Array.from({ length: 20 }, (_, i) => run("calculator", `${i}^2`, 60_000)));
  expect(results.map((one) => one.ok && one.content)).toEqual(results.map((_, i) => `${i * i}`));
  expect(executor.workers).toBeLessThanOrEqual(2);
});

it("a call that is cancelled ends its worker", async () => {
  executor = builtExecutor({ size: 1 });
  await run("javascript", "1", 60_000);
  const controller = new AbortController();
  const call = executor.run("javascript", "for (;;);", { deadline: Date.now() + 60_000, signal: controller.signal });
  setTimeout(() => controller.abort(), 50);
  expect(await call).toMatchObject({ ok: false, error: "cancelled" });
  expect(executor.workers).toBe(0);
});

it("what is printed is capped, and the rest not kept", async () => {
  const result = await run("javascript", "for (let i = 0; i < 20000; i++) print('line ' + i)", 20_000);
  expect(result).toMatchObject({ ok: true });
  const { content } = result as { content: string };
  expect(Buffer.byteLength(content)).toBeLessThanOrEqual(8192);
  expect(content).toMatch(/^line 0\n/u);
  expect(content).toMatch(/\[cut/u);
});

it("a program that is not there, and options that mean nothing, are told", async () => {
  executor = builtExecutor({ program: new URL("absent.js", PROGRAM) });
  expect(await run("calculator", "1", 10_000)).toMatchObject({ ok: false, reason: "failed", error: expect.stringContaining("absent.js") });
  expect(() => builtExecutor({ size: 0 })).toThrow(/size is 0/u);
});

it("what needs little is quick where every argument is checked first", async () => {
  const tool = {
    name: "twice",
    description: "",
    parameters: { type: "object", properties: { n: { type: "integer" } }, required: ["n"], additionalProperties: false },
    run: async ({ n }: { readonly [name: string]: unknown }) => ({ ok: true as const, content: `${(n as number) * 2}` }),
  };
  const limits = { deadline: Date.now() + 10_000 };
  expect(await callTool(tool, { n: 2 }, limits)).toEqual({ ok: true, content: "4" });
  for (const args of [{ n: "2" }, {}, { n: 2, m: 3 }, [2], null, "n"])
    expect(await callTool(tool, args, limits)).toMatchObject({ ok: false, reason: "arguments" });
  const never = { ...tool, run: () => new Promise<ToolResult>(() => undefined) };
  expect(await callTool(never, { n: 1 }, { deadline: Date.now() + 20 })).toMatchObject({ ok: false, reason: "timeout" });
  const throwing = { ...tool, run: () => Promise.reject(new Error("no")) };
  expect(await callTool(throwing, { n: 1 }, limits)).toEqual({ ok: false, reason: "failed", error: "no" });
  const long = { ...tool, run: async () => ({ ok: true as const, content: "ä".repeat(10_000) }) };
  const { content } = (await callTool(long, { n: 1 }, limits)) as { content: string };
  expect(Buffer.byteLength(content)).toBeLessThanOrEqual(8192);
  expect(content).toMatch(/ä\n\[cut: 20000 bytes\]$/u);
});

describe("Python", () => {
  const hasPython = spawnSync("python3", ["-c", ""]).status === 0;
  it("needs the flag that says whose rights it has", () => expect(() => pythonTool({} as never)).toThrow(/runs with your rights/u));

  it.runIf(hasPython)(
    "prints, is stopped in a loop with what it started, has little memory and no environment",
    { timeout: 60_000 },
    async () => {
      const tool = pythonTool({ allowCodeToRunWithYourRights: true });
      const call = (code: string, ms: number): Promise<ToolResult> => callTool(tool, { code }, { deadline: Date.now() + ms });
      process.env["WEFT_SECRET"] = "secret";
      const results = await Promise.all([
        call("print(2**100)", 40_000),
        call("import os; print('WEFT_SECRET' in os.environ)", 40_000),
        call("x = bytearray(2**30)", 40_000),
        call("1/0", 40_000),
        call("while True: pass", 1500),
        call("import subprocess; subprocess.run(['sleep', '60'])", 1500),
        call("while True: print('x' * 1000)", 1500),
      ]);
      delete process.env["WEFT_SECRET"];
      const stopped = { ok: false, reason: "timeout" };
      expect(results).toMatchObject([
        { ok: true, content: "1267650600228229401496703205376" },
        { ok: true, content: "False" },
        { ok: false, reason: "memory" },
        { ok: false, reason: "failed", error: expect.stringMatching(/line 1[^]*ZeroDivisionError/u) },
        stopped,
        stopped,
        { ok: false },
      ]);
      expect(results.at(-1)).not.toHaveProperty("content");
    },
  );
});
