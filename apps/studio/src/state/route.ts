import { type Signal, signal } from "@preact/signals";

/** Names of the screens, in the order of the navigation. */
export const SCREENS = ["open", "inspect", "data", "train", "settings"] as const;
/** Name of a screen. */
export type ScreenName = (typeof SCREENS)[number];

const fromHash = (): ScreenName => {
  const name = location.hash.slice(1);
  return (SCREENS as readonly string[]).includes(name) ? (name as ScreenName) : "open";
};

/** The screen that is shown: the address's part behind `#`, so that the browser's buttons go back and forth. */
export const route: Signal<ScreenName> = signal(fromHash());
addEventListener("hashchange", () => (route.value = fromHash()));

/** Shows a screen. */
export const go = (screen: ScreenName): void => void (location.hash = screen);
