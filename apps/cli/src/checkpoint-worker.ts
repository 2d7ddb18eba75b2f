import { serveTask } from "@weft/checkpoint/node";

await serveTask();
