import { bytes } from "../../ui/format.js";

/** What the screen says. */
export const WORDS = {
  title: "Fine-tune a language model on this device",
  lead: "A small model learns to write like your text. You watch it learn, compare before and after, and take the adapter with you.",
  drop: "Drop a model, an adapter or data here",
  empty: "Nothing open yet. Drop a model here, or try the tiny one.",
  more: "Drop a model, an adapter or data here.",
  openFolder: "Open folder",
  openFiles: "Open files",
  kindsOfFiles:
    "Models: a folder with config.json, tokenizer.json and safetensors, or a GGUF file. Data: .jsonl, .json, .csv, .tsv, .txt, .parquet.",
  tiny: "Try the tiny model",
  tinyLead: "0.5 million parameters that have read Jane Austen. In half a minute they learn to write like Romeo and Juliet.",
  opening: "Opening the tiny model.",
  reading: (what: string, done: number, total: number): string => {
    const [amount, unit] = bytes(total).split(" ");
    return `Reading ${what}: ${Math.round((done / total) * Number(amount))} of ${amount} ${unit}.`;
  },
  looking: "Looking at what was dropped.",
  private: (foreign: number): string => `Nothing leaves this device: ${foreign} requests since it loaded.`,
  runs: "Your runs",
  show: "Show",
  kinds: { model: "Model", adapter: "Adapter", data: "Data" },
  inspect: "Inspect",
  lookAtData: "Look at data",
  close: "Close",
  setUp: "Set up a training",
  noThreads: "No threads: not isolated.",
  reload: "Reload isolated",
} as const;
