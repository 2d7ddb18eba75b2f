export { openAdapterFolder } from "./open-adapter-folder.js";
