/** What the screen says. */
export const WORDS = {
  title: "Settings",
  theme: "Theme",
  themes: { system: "As the device", light: "Light", dark: "Dark" },
  device: "This device",
  computes: "Computes on",
  memory: "Memory in use",
  isolated: "Isolated, so that threads share memory",
  webgpu: "WebGPU",
  browser: "Browser",
  yes: "Yes",
  no: "No",
  copy: "Copy report",
  copied: "Copied.",
  copyHint: "What is above, without names of files.",
  starting: "The engine is starting.",
} as const;
