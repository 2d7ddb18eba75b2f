/** What the screen says. */
export const WORDS = {
  title: "Fine-tune a language model on this device",
  lead: "A small model learns to write like your text. You watch it learn, compare before and after, and take the adapter with you.",
  empty: "Nothing open yet. Try the tiny model.",
  tiny: "Try the tiny model",
  tinyLead: "0.5 million parameters that have read Jane Austen. In half a minute they learn to write like Romeo and Juliet.",
  opening: "Opening the tiny model.",
  private: (foreign: number): string => `Nothing leaves this device: ${foreign} requests since it loaded.`,
  runs: "Your runs",
  show: "Show",
  model: "Model",
  data: "Data",
  train: "Train on it",
  noThreads: "No threads: not isolated.",
  reload: "Reload isolated",
} as const;
