import { serveTask } from "./serve-task.js";

await serveTask();
