import { once } from "node:events";
import { join } from "node:path";
import { loadTextGenerator } from "@weft/generation/node";
import { createWasmBackend } from "@weft/kernels-wasm";
import { ADAPTER_METHODS } from "@weft/methods";
import { getPeftModel } from "@weft/registry";
import { savePretrained } from "@weft/registry/node";
import { Device } from "@weft/tensor-core";
import { beforeAll, expect, test } from "vitest";
import { FIXTURES, startWeft, temporaryFolder, weftBuilt } from "../testing/cli.js";

const TINY = join(FIXTURES, "quant/tiny.gguf");
const PROMPT = "The quick brown fox";
const adapter = join(temporaryFolder(), "lora");
beforeAll(async () => {
  const device = new Device(await createWasmBackend({ threads: 1, relaxed: false }));
  const { engine } = await loadTextGenerator(TINY, { device });
  const config = { peftType: "LORA", targetModules: "all-linear", initLoraWeights: false, r: 4 };
  await savePretrained(await getPeftModel(engine.model as never, config as never, { methods: ADAPTER_METHODS, seed: 1 }), adapter);
  device.dispose();
});

/** Starts a server, and says where it is when it listens. */
async function serve(...argv: string[]): Promise<{ url: string; token: string; models: string[]; stop(): Promise<number> }> {
  const child = startWeft(["serve", "-m", TINY, "--device", "cpu", "--port", "0", "--json", ...argv], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  const exit = once(child, "exit");
  const stop = async (): Promise<number> => {
    child.kill("SIGTERM");
    return ((await exit) as [number])[0];
  };
  return { ...(JSON.parse(String(line).split("\n")[0]!) as { url: string; token: string; models: string[] }), stop };
}

const complete = async (url: string, token: string | null, model: string): Promise<{ status: number; text?: string | undefined }> => {
  const headers = { "content-type": "application/json", ...(token !== null && { authorization: `Bearer ${token}` }) };
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers,
    body: JSON.stringify({ model, prompt: PROMPT, max_tokens: 8 }),
  });
  return { status: response.status, text: ((await response.json()) as { choices?: [{ text: string }] }).choices?.[0].text };
};

test("a model and its adapters are served with a token of this start, until SIGTERM", async () => {
  const { url, token, models, stop } = await serve("-a", `poet=${adapter}`, "-a", `mute=${adapter}:0`);
  expect({ url, models }).toEqual({
    url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) as string,
    models: ["tiny", "poet", "mute"],
  });
  expect(token.length).toBeGreaterThan(40);
  const generated = async (...more: string[]): Promise<string> =>
    (await weftBuilt("generate", "-m", TINY, "-p", PROMPT, "-n", "8", "--device", "cpu", ...more)).stdout.slice(0, -1);
  const [base, poet] = [await generated(), await generated("-a", adapter)];
  expect(poet).not.toBe(base);
  for (const [model, text] of [
    ["tiny", base],
    ["poet", poet],
    ["mute", base],
  ] as const)
    expect(await complete(url, token, model)).toEqual({ status: 200, text });
  expect(await complete(url, null, "tiny")).toMatchObject({ status: 401 });
  expect(await stop()).toBe(0);
});

test("adapters may be loaded into a server that began without any", async () => {
  const { url, stop } = await serve("--token", "mine", "--adapter-folder", join(adapter, ".."));
  expect((await complete(url, "mine", "tiny")).status).toBe(200);
  const headers = { "content-type": "application/json", authorization: "Bearer mine" };
  const loaded = await fetch(`${url}/v1/load_lora_adapter`, {
    method: "POST",
    headers,
    body: JSON.stringify({ lora_name: "poet", lora_path: adapter }),
  });
  expect(loaded.status).toBe(200);
  const [base, poet] = [await complete(url, "mine", "tiny"), await complete(url, "mine", "poet")];
  expect([base.status, poet.status]).toEqual([200, 200]);
  expect(poet.text).not.toBe(base.text);
  expect(await stop()).toBe(0);
});

test("what cannot be served is refused in one line", async () => {
  const fails = async (...argv: string[]): Promise<string> => {
    const { code, stderr } = await weftBuilt("serve", "-m", TINY, "--device", "cpu", "--port", "0", ...argv);
    expect(code).toBe(2);
    return stderr;
  };
  expect(await fails("--host", "0.0.0.0", "--no-token")).toContain("has no token");
  expect(await fails("-a", adapter)).toContain("a name and a path");
  expect(await fails("-a", `tiny=${adapter}`)).toContain("two models are called tiny");
  expect(await fails("--token", "")).toContain("the token is empty");
});
