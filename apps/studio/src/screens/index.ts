import type { ComponentType } from "preact";
import type { ScreenName } from "../state/route.js";
import { DataScreen } from "./data/screen.js";
import { InspectScreen } from "./inspect/screen.js";
import { OpenScreen } from "./open/screen.js";
import { SettingsScreen } from "./settings/screen.js";
import { TrainScreen } from "./train/screen.js";

/** The screens: title in the navigation, and what is shown. */
export const SCREEN_OF: { readonly [name in ScreenName]: { readonly title: string; readonly Screen: ComponentType } } = {
  open: { title: "Open", Screen: OpenScreen },
  inspect: { title: "Inspect", Screen: InspectScreen },
  data: { title: "Data", Screen: DataScreen },
  train: { title: "Train", Screen: TrainScreen },
  settings: { title: "Settings", Screen: SettingsScreen },
};
