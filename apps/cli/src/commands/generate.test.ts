import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createWasmBackend } from "@weft/kernels-wasm";
import { loadEmbedder, loadTextGenerator } from "@weft/generation/node";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { Device } from "@weft/tensor-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { FIXTURES, spawnWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const TINY = join(FIXTURES, "quant/tiny.gguf");
const PROMPT = "The quick brown fox";
const folder = temporaryFolder();
const adapter = join(folder, "lora");
let device: Device;
beforeAll(async () => {
  device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  const { engine } = await loadTextGenerator(TINY, { device });
  const config = { peftType: "LORA", targetModules: "all-linear", initLoraWeights: false, r: 4 };
  await savePretrained(await getPeftModel(engine.model as never, config as never, { methods: ADAPTER_METHODS, seed: 1 }), adapter);
}, 60_000);
afterAll(() => device.dispose());

const json = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test.each(["cpu", "onnx"])("on %s a text streams to stdout, token by token for programs, and is that of the library", async (name) => {
  const generator = await loadTextGenerator(TINY, { device });
  const want = await generator.generate(PROMPT, { maxNewTokens: 12, temperature: 1, seed: 4 }).result;
  const run = spawnWeft(["generate", "-m", TINY, "-p", PROMPT, "-n", "12", "-t", "1", "--seed", "4", "--device", name]);
  expect(run).toMatchObject({ code: 0, stdout: `${want.text}\n` });
  expect(run.stderr).toMatch(/^12 tokens, [\d.]+ a second\n$/);
  const events = json(
    spawnWeft(["generate", "-m", TINY, "-p", PROMPT, "-n", "12", "-t", "1", "--seed", "4", "--device", name, "--json"]).stdout,
  );
  expect(events.slice(0, -1).map(({ event, token }) => [event, token])).toEqual(want.tokens.map((token) => ["token", token]));
  expect(events.at(-1)).toMatchObject({ text: want.text, finishReason: "length" });
  await generator.dispose();
});

test("adapters act with their factors, beside the base if asked; a prompt may come from stdin", async () => {
  const text = async (...more: string[]): Promise<string> =>
    (await weftBuilt("generate", "-m", TINY, "-p", PROMPT, "-n", "8", "--device", "cpu", ...more)).stdout;
  const [base, none, whole] = [await text(), await text("-a", `${adapter}:0`), await text("-a", adapter)];
  expect(none).toBe(base);
  expect(whole).not.toBe(base);
  const compared = await weftBuilt(
    "generate",
    "-m",
    TINY,
    "-p",
    PROMPT,
    "-n",
    "8",
    "--device",
    "cpu",
    "-a",
    adapter,
    "--compare-base",
    "--json",
  );
  expect(JSON.parse(compared.stdout)).toMatchObject({ base: { text: base.slice(0, -1) }, adapted: { text: whole.slice(0, -1) } });
  const piped = spawnWeft(["generate", "-m", TINY, "-n", "8", "--device", "cpu"], { shell: `exec < <(printf '%s\\n' '${PROMPT}')` });
  expect(piped.stdout).toBe(base);
});

test("an answer is what a schema or pattern asks for", async () => {
  const schema = join(folder, "schema.json");
  writeFileSync(schema, JSON.stringify({ type: "object", properties: { ok: { type: "boolean" } }, required: ["ok"] }));
  const run = await weftBuilt("generate", "-m", TINY, "-p", PROMPT, "--device", "cpu", "--json-schema", schema);
  expect(typeof (JSON.parse(run.stdout) as { ok: unknown }).ok).toBe("boolean");
  const matched = await weftBuilt("generate", "-m", TINY, "-p", PROMPT, "--device", "cpu", "--regex", "(red|green)[0-9]{2}");
  expect(matched.stdout).toMatch(/^(red|green)\d{2}\n$/);
});

test("what cannot be generated is refused in one line", async () => {
  const fails = async (...argv: string[]): Promise<string> => {
    const { code, stderr } = await weftBuilt("generate", ...argv);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await fails("-m", join(folder, "none"), "-p", "x")).toContain("there is no such file or folder");
  expect(await fails("-m", TINY, "-p", "x", "--compare-base")).toContain("no adapter is named");
  expect(await fails("-m", TINY, "-p", "x", "--system", "y")).toContain("--chat");
  expect(await fails("-m", TINY, "-p", "x", "-n", "5000", "--device", "cpu")).toContain("leaves room for");
  expect(await fails("-m", TINY, "-p", "x", "--top-p", "2")).toContain("a share from 0 to 1");
});

test("tokens are shown with their places", async () => {
  const { stdout } = await weftBuilt("tokenize", "-m", TINY, "wörld", "--json");
  const { ids, offsets } = JSON.parse(stdout) as { ids: number[]; offsets: [number, number][] };
  expect((await weftBuilt("tokenize", "-m", TINY, "wörld", "--ids")).stdout).toBe(`${ids.join(" ")}\n`);
  expect(offsets.at(-1)).toEqual([4, 5]);
  expect((await weftBuilt("tokenize", "-m", TINY, "wörld")).stdout).toMatch(/^wörld\n\n id/);
});

test("texts become vectors, or a table of how alike they are", async () => {
  const embedder = await loadEmbedder(TINY, { device });
  const texts = ["a cat", "a kitten"];
  const want = await embedder.embed(texts);
  const lines = (await weftBuilt("embed", "-m", TINY, "--device", "cpu", ...texts)).stdout.trim().split("\n");
  for (const [i, line] of lines.entries())
    for (const [j, value] of (JSON.parse(line) as number[]).entries()) expect(Math.abs(value - want[i]![j]!)).toBeLessThan(1e-5);
  const { similarity } = JSON.parse(
    (await weftBuilt("embed", "-m", TINY, "--device", "cpu", "--similarity", ...texts, "--json")).stdout,
  ) as { similarity: number[][] };
  expect(similarity[0]![0]).toBeCloseTo(1, 5);
  expect(similarity[0]![1]).toBeCloseTo(
    want[0]!.reduce((total, v, i) => total + v * want[1]![i]!, 0),
    5,
  );
  embedder.dispose();
});

test("perplexity of a text, with and without an adapter; multiple choice", async () => {
  const file = join(folder, "text.txt");
  writeFileSync(file, "A text of some words, long enough for several pieces of a short context.");
  const { base, adapted } = JSON.parse(
    (await weftBuilt("eval", "-m", TINY, file, "-a", adapter, "--compare-base", "--context", "16", "--device", "cpu", "--json")).stdout,
  ) as Record<string, { tokens: number; loss: number; perplexity: number }>;
  expect(base!.perplexity).toBeCloseTo(Math.exp(base!.loss), 1);
  expect(adapted!.loss).not.toBeCloseTo(base!.loss, 3);
  // Single tokens are products of few rows, of which x may be rounded.
  const short = join(folder, "short.txt");
  writeFileSync(short, "ab");
  const lossWith = async (activations: string): Promise<number> =>
    (
      JSON.parse(
        (await weftBuilt("eval", "-m", TINY, short, "--device", "cpu", "--activations", activations, "--context", "2", "--json")).stdout,
      ) as { loss: number }
    ).loss;
  const [exact, rounded] = [await lossWith("f32"), await lossWith("int8")];
  expect(rounded).not.toBe(exact);
  expect(Math.abs(rounded - exact)).toBeLessThan(0.05 * exact);

  const questions = join(folder, "questions.jsonl");
  const { text } = JSON.parse(
    (await weftBuilt("generate", "-m", TINY, "-p", PROMPT, "-n", "6", "--device", "cpu", "--json")).stdout.trim().split("\n").at(-1)!,
  ) as { text: string };
  writeFileSync(questions, `${JSON.stringify({ prompt: PROMPT, choices: [" zzzzzz qqqqqq", text], answer: 1 })}\n`);
  expect(JSON.parse((await weftBuilt("eval", "-m", TINY, questions, "--device", "cpu", "--json")).stdout)).toMatchObject({
    questions: 1,
    accuracy: 1,
  });
  writeFileSync(questions, '{"prompt": "x", "choices": ["a"], "answer": 0}\n');
  const bad = await weftBuilt("eval", "-m", TINY, questions, "--device", "cpu");
  expect(bad).toMatchObject({ code: 2 });
  expect(bad.stderr).toContain("questions.jsonl, line 1");
});

test("a message is written by the chat template of the model", async () => {
  const generator = await loadTextGenerator(TINY, { device });
  const messages = [
    { role: "system", content: "Be brief." },
    { role: "user", content: "Hello" },
  ];
  const want = await generator.chat(messages, { maxNewTokens: 4 }).result;
  const run = await weftBuilt("generate", "-m", TINY, "--chat", "--system", "Be brief.", "-n", "4", "--device", "cpu", "-p", "Hello");
  expect(run).toMatchObject({ code: 0, stdout: `${want.text}\n` });
  await generator.dispose();
});
