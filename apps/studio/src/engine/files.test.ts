import { readdirSync, readFileSync } from "node:fs";
import { createWasmBackend } from "@weft/kernels-wasm";
import { Device } from "@weft/tensor-core";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Answer, CommandBody, CommandType } from "../protocol/commands.js";
import type { ModelDocument } from "../protocol/values.js";
import { Engine } from "./engine.js";

const device = new Device(await createWasmBackend({ threads: 1 }));
const engine = new Engine({ openDevice: async () => device, isolated: true, store: undefined, emit: () => undefined });
afterAll(() => device.dispose());

let sent = 0;
async function send<T extends CommandType>(type: T, body: CommandBody<T>): Promise<Answer<T>> {
  const reply = await engine.handle({ v: 1, id: `c${++sent}`, type, ...body });
  if ("error" in reply) throw Object.assign(new Error(reply.error.message), reply.error);
  return reply.ok as Answer<T>;
}

/** Files by their paths, as a person drops them. */
async function drop(files: { readonly [path: string]: string | Uint8Array<ArrayBuffer> }): Promise<Answer<"open">> {
  const put = Object.entries(files).map(([path, content], i) => {
    engine.put(`f${i}`, new Blob([content]));
    return { file: `f${i}`, path };
  });
  return send("open", { source: { files: put } });
}

const folder = tinyModelFolder("llama");
const model = Object.fromEntries(
  readdirSync(folder).map((name) => [`my-llama/${name}`, new Uint8Array(readFileSync(`${folder}/${name}`))]),
);
const ROWS = [
  { prompt: "Who comes?", completion: " It." },
  { prompt: "What light?", completion: " Arise, fair sun, and kill the envious moon." },
];
const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");
let source: {
  readonly model: { readonly id: string; readonly name: string };
  readonly data: { readonly id: string; readonly name: string };
};
let opened: Answer<"open">;

beforeAll(async () => {
  opened = await drop({ ...model, "data/train.jsonl": jsonl(ROWS) });
  const [{ id: own }, { id: data }] = opened.documents as [ModelDocument, ModelDocument];
  source = { model: { id: own, name: "my-llama" }, data: { id: data, name: "train.jsonl" } };
});

test("a folder is a model, a file of rows data, under ids that their content has", async () => {
  expect(opened.refused).toEqual([]);
  expect(opened.documents).toMatchObject([
    { kind: "model", name: "my-llama", modelType: "llama", parameters: 492_384, layers: 4 },
    { kind: "data", name: "train.jsonl", rows: 2 },
  ]);
  const again = await drop({ ...model });
  expect(again.opened).toEqual([source.model.id]);
  expect(again.documents).toHaveLength(2);
});

test("headers are shown, without values", async () => {
  const { tensors, fits } = await send("inspect", { document: source.model.id });
  expect(fits).toEqual([]);
  expect(tensors).toContainEqual({ name: "model.embed_tokens.weight", dtype: "F32", shape: [1024, 96], bytes: 393_216 });
});

test.each<[string, { readonly [path: string]: string | Uint8Array<ArrayBuffer> }, object]>([
  ["weights alone", { "model.safetensors": "x" }, { kind: "no-match", hint: expect.stringContaining("config.json") }],
  ["an adapter without its config", { "adapter_model.safetensors": "x" }, { hint: expect.stringContaining("adapter_config.json") }],
  ["what is nothing", { "photo.png": "x" }, { kind: "no-match" }],
  ["a row that is no JSON", { "a.jsonl": '{"text":"a"}\n{"text"\n' }, { message: expect.stringContaining("line 2") }],
  [
    "a model without a tokenizer",
    { "m/config.json": "{}", "m/model.safetensors": "x" },
    { message: expect.stringContaining("tokenizer.json") },
  ],
  ["a file that was cut", { "m.gguf": "GGUF" }, { message: expect.stringContaining("m.gguf") }],
])("%s is refused with what to do, and keeps nothing else away", async (_, files, failure) => {
  const { refused, opened: also } = await drop({ ...files, "more/x.txt": "To be.\n" });
  expect(refused).toMatchObject([{ failure }]);
  expect(also).toHaveLength(1);
});

test("the lens shows each token with its label, what is cut, and what all come to", async () => {
  const { coverage, refusals, examples } = await send("lens", { source, config: { max_length: 12 }, from: 1, count: 5 });
  expect(refusals).toEqual([]);
  expect(coverage).toMatchObject({ examples: 2, end: { trained: 1, untrained: 1 }, truncated: { count: 1 } });
  expect(examples).toHaveLength(1);
  const [{ tokens, place, trained, seen, endTrained }] = examples as [(typeof examples)[0]];
  expect(place).toBe("train.jsonl, line 2");
  expect(tokens.map(({ text }) => text).join("")).toContain("What light? Arise, fair sun");
  expect({ seen, endTrained, trained }).toEqual({
    seen: 12,
    endTrained: false,
    trained: tokens.filter(({ label }) => label !== -100).length,
  });
  expect(tokens.some(({ cut }) => cut)).toBe(true);
  expect(tokens.filter(({ beginsTurn }) => beginsTurn).map(({ role }) => role)).toEqual(["prompt", "completion"]);
});

test("what is not open any more is named", async () => {
  const gone = { ...source, data: { id: "gone", name: "old.jsonl" } };
  await expect(send("plan", { source: gone, config: {} })).rejects.toMatchObject({
    kind: "no-match",
    hint: "Open old.jsonl again to go on.",
  });
});
