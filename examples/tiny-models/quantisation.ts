import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { quantizeCheckpoint, quantizeToGguf } from "@weft/checkpoint/node";
import { loadPretrained } from "@weft/models/node";
import { tinyModelFolder } from "@weft/tiny-models/node";
import { openDevice, type Tell, verseLoss } from "./setup.js";

const bytesOf = (path: string): number =>
  statSync(path).isFile()
    ? statSync(path).size
    : readdirSync(path)
        .filter((name) => name.endsWith(".safetensors"))
        .reduce((sum, name) => sum + statSync(join(path, name)).size, 0);

/** What four and eight bits cost: bytes of the weights' files, and the loss of a token. @param folder for the quantised models */
export async function quantisation(folder: string, tell: Tell): Promise<{ name: string; bytes: number; loss: number }[]> {
  const base = tinyModelFolder("llama");
  await quantizeCheckpoint({ base, out: join(folder, "bnb-nf4"), to: "nf4" });
  await quantizeToGguf({ base, out: join(folder, "q8_0.gguf"), to: "q8_0" });
  await quantizeToGguf({ base, out: join(folder, "q4_0.gguf"), to: "q4_0" });
  const device = await openDevice();
  const all = [];
  for (const path of [base, ...["bnb-nf4", "q8_0.gguf", "q4_0.gguf"].map((name) => join(folder, name))]) {
    const name = path === base ? "f32" : path.slice(folder.length + 1);
    const [bytes, loss] = [bytesOf(path), await verseLoss(await loadPretrained(path, { device }))];
    tell(`${name.padEnd(10)}${String(bytes).padStart(9)} bytes  loss ${loss.toFixed(3)}`);
    all.push({ name, bytes, loss });
  }
  device.dispose();
  return all;
}
