import { openAsBlob, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { quantizeToGguf } from "@weft/checkpoint/node";
import { type CausalLM, loadCausalLM } from "@weft/models";
import { loadPretrained } from "@weft/models/node";
import { openTinyModel } from "@weft/tiny-models";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { continuation, openDevice, type Tell } from "./setup.js";

/** One model from four places: a folder, memory, a Blob as a page has it of a file input, and a URL of which ranges are read. @param folder for a GGUF file */
export async function modelLoader(folder: string, tell: Tell): Promise<string[]> {
  const gguf = join(folder, "tiny.gguf");
  await quantizeToGguf({ base: tinyModelFolder("llama"), out: gguf, to: "f32" });
  const server = rangeServer(gguf);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const device = await openDevice();
  const places: [string, () => Promise<CausalLM>][] = [
    ["a folder", () => loadPretrained(tinyModelFolder("llama"), { device })],
    ["memory", async () => openTinyModel("llama").then(({ config, weights }) => loadCausalLM(config, weights, { device }))],
    ["a Blob", async () => loadCausalLM(await openAsBlob(gguf), { device })],
    ["a URL", () => loadPretrained(`http://127.0.0.1:${(server.address() as AddressInfo).port}/tiny.gguf`, { device })],
  ];
  const texts = [];
  for (const [name, load] of places) {
    const text = await continuation(await load(), "It was");
    tell(`from ${name}: It was${text}`);
    texts.push(text);
  }
  device.dispose();
  server.closeAllConnections();
  server.close();
  return texts;
}

/** Serves one file, by ranges. */
const rangeServer = (file: string): ReturnType<typeof createServer> => {
  const bytes = readFileSync(file);
  return createServer(({ headers, method }, response) => {
    const [, from, to] = /bytes=(\d+)-(\d*)/u.exec(headers.range ?? "") ?? [];
    const part = from === undefined ? bytes : bytes.subarray(Number(from), to ? Number(to) + 1 : undefined);
    response.writeHead(from === undefined ? 200 : 206, {
      "accept-ranges": "bytes",
      "content-length": part.length,
      ...(from !== undefined && { "content-range": `bytes ${from}-${Number(from) + part.length - 1}/${bytes.length}` }),
    });
    response.end(method === "HEAD" ? undefined : part);
  });
};
