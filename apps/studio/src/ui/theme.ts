import { signal, type Signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";

/** What a person chose; `system` follows the device. */
export type ThemeChoice = "system" | "light" | "dark";

const dark = matchMedia("(prefers-color-scheme: dark)");
const KEY = "weft:theme";

const stored = (): ThemeChoice => {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "system";
  } catch {
    return "system"; // where storage is forbidden the choice lasts as long as the page
  }
};

/** The choice, kept for the next time. */
export const theme: Signal<ThemeChoice> = signal(stored());

/** The theme that is on. */
const shown = (): "light" | "dark" => (theme.value === "system" ? (dark.matches ? "dark" : "light") : theme.value);

theme.subscribe((choice) => {
  document.documentElement.dataset["theme"] = shown();
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // as above
  }
});
dark.addEventListener("change", () => (document.documentElement.dataset["theme"] = shown()));

/** The theme that is on, for what paints by itself. */
export function useTheme(): "light" | "dark" {
  const [now, set] = useState(shown());
  useEffect(() => {
    const update = (): void => set(shown());
    dark.addEventListener("change", update);
    const unwatch = theme.subscribe(update);
    return () => {
      dark.removeEventListener("change", update);
      unwatch();
    };
  }, []);
  return now;
}
